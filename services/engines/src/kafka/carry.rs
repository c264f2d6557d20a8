//! The log as one end of `kiroku copy`. While it is filled, its topics keep the times that records bring; afterwards the broker
//! stamps its own. Topics in between are refused by every other process ([`super::KafkaLog::open`]).

use chassis::ports::log::{Appended, LogError};

use super::{Config, KafkaLog, topics};
use crate::carry::Carried;

impl KafkaLog {
    /// As [`KafkaLog::open`], of topics made to be filled by `kiroku copy`.
    ///
    /// # Errors
    /// `NotWritable` if topics of these names exist and are not such topics.
    pub async fn open_to_carry(config: &Config) -> Result<Self, LogError> {
        let config = Config { carrying: true, ..config.clone() };
        let faults = topics::create_topics(&config).await?;
        match faults.first() {
            None => Self::open(config).await,
            Some(fault) => Err(LogError::NotWritable(format!("these are no topics of an unfinished copy: {fault}"))),
        }
    }

    /// See [`crate::carry::Carrier::carry`].
    pub async fn carry(&self, records: Vec<Carried>) -> Result<Vec<Appended>, LogError> {
        if !self.config.carrying {
            return Err(LogError::NotWritable("the log stamps its own times".to_owned()));
        }
        let times: Vec<i64> = records.iter().map(|record| record.time).collect();
        let records = records.into_iter().map(|record| record.append).collect();
        let appended = self.append_stamped(records, Some(&times)).await?;
        if appended.iter().zip(&times).any(|(place, time)| place.time != *time) {
            return Err(LogError::NotWritable("the broker stamped a time of its own".to_owned()));
        }
        Ok(appended)
    }

    /// See [`crate::carry::Carrier::end_carrying`].
    pub async fn end_carrying(&self) -> Result<(), LogError> {
        topics::set_topics(&Config { carrying: false, ..self.config.clone() }).await
    }
}
