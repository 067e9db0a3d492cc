//! A deployment that is cut off, end to end: the real gate and Helm on the lab that a run shares, a namespace a test.

#[path = "lab_recover/eyes.rs"]
mod eyes;
#[path = "lab_recover/killed.rs"]
mod killed;
