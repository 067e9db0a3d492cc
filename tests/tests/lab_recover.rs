//! A deployment that is cut off, end to end: the real gate and Helm on the lab that a run shares, a namespace a test.

#[path = "lab_recover/cancelled.rs"]
mod cancelled;
#[path = "lab_recover/eyes.rs"]
mod eyes;
#[path = "lab_recover/killed.rs"]
mod killed;
#[path = "lab_recover/refused.rs"]
mod refused;
#[path = "lab_recover/restored.rs"]
mod restored;
#[path = "lab_recover/secret.rs"]
mod secret;
#[path = "lab_cluster/site.rs"]
#[expect(dead_code, reason = "shared with the other tests of the lab; each uses a part")]
mod site;
#[path = "lab_recover/together.rs"]
mod together;
