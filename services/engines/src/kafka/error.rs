//! From the client library's errors to the port's. None of them holds bytes of a record.

use chassis::ports::log::LogError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Of an append: nothing was acknowledged.
pub(super) fn append(error: KafkaError) -> LogError {
    LogError::NotWritable(format!("Kafka: {error}"))
}

/// Of everything else.
pub(super) fn io(error: KafkaError) -> LogError {
    std::io::Error::other(format!("Kafka: {error}")).into()
}

/// The library tries again by itself after these: they say that a connection broke, not that anything is lost.
pub(super) fn may_pass(error: &KafkaError) -> bool {
    let Some(code) = error.rdkafka_error_code() else { return false };
    matches!(
        code,
        RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::ReplicaNotAvailable
            | RDKafkaErrorCode::CoordinatorNotAvailable
            | RDKafkaErrorCode::CoordinatorLoadInProgress
            | RDKafkaErrorCode::NotCoordinator
            | RDKafkaErrorCode::RequestTimedOut
    )
}

/// Not every broker knows of a new topic at once.
pub(super) fn is_unknown_yet(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
        )
    )
}

/// The broker does not have that position (any more).
pub(super) fn is_lost_position(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::NoOffset)
    )
}
