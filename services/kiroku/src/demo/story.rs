//! The order of the acts.

use super::step::{Step, Teller};
use super::world::World;
use super::{acts, oversight};

/// What later acts need to know of earlier ones.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) letter: String,
    pub(super) summary: String,
    pub(super) prescription: String,
    pub(super) vaccination: String,
    pub(super) consents: Vec<String>,
}

/// Tells the whole story over HTTP; `listener` hears each step when it is done. Nothing stops it: a step that could not be told
/// says why, and those after it that needed it fail too.
pub async fn tell(world: &World, listener: &mut (dyn FnMut(&Step) + Send)) -> Vec<Step> {
    let mut teller = Teller::new(world, listener);
    let mut facts = Facts::default();
    let told = acts::share(&mut teller, &mut facts).await;
    teller.end(told);
    let told = acts::refuse_others(&mut teller, &facts).await;
    teller.end(told);
    let told = acts::consent_at_the_desk(&mut teller, &mut facts).await;
    teller.end(told);
    let told = acts::read_what_was_ticked(&mut teller, &mut facts).await;
    teller.end(told);
    let told = acts::withdraw(&mut teller, &facts).await;
    teller.end(told);
    let told = acts::check_medicines(&mut teller).await;
    teller.end(told);
    let told = acts::keep_a_visit_out(&mut teller).await;
    teller.end(told);
    let told = oversight::read_own_list(&mut teller).await;
    teller.end(told);
    let told = oversight::audit(&mut teller).await;
    teller.end(told);
    teller.finish()
}
