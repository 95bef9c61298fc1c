//! The values of `secrets.key` during the run. A service of generation 0 knows one secret; later
//! ones know the one before it as well.

use auth0_signup::digest::Digests;

/// The secrets of every generation.
#[derive(Debug)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// One generation.
    pub(crate) fn new() -> Self {
        Self(vec![random_secret()])
    }

    /// Adds a generation and returns its number.
    pub(crate) fn rotate(&mut self) -> usize {
        self.0.push(random_secret());
        self.0.len() - 1
    }

    /// The number of the latest generation.
    pub(crate) const fn latest(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    /// The settings of a service of this generation.
    pub(crate) fn settings(&self, generation: usize) -> Vec<(String, String)> {
        let names = ["SIGNUP__SECRETS__KEY", "SIGNUP__SECRETS__PREVIOUS_KEY"];
        let known = self.0.iter().take(generation + 1).rev();
        names.into_iter().zip(known).map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// The digests under each secret.
    pub(crate) fn digests(&self) -> Vec<Digests> {
        self.0.iter().map(|secret| Digests::new(&secret.clone().into(), None)).collect()
    }
}

fn random_secret() -> String {
    format!("{:032x}", rand::random::<u128>())
}
