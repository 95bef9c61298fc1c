//! Runs all clients, some at a time.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::check::PersonHistory;
use super::client::ClientContext;
use super::people::Person;

/// Runs all sign-ups, at most `concurrency` clients at once, as the progress allows.
pub(crate) async fn drive(
    context: &Arc<ClientContext>,
    people: Vec<Person>,
    concurrency: u32,
) -> anyhow::Result<Vec<PersonHistory>> {
    let slots = Arc::new(Semaphore::new(usize::try_from(concurrency)?));
    let mut running = JoinSet::new();
    let mut histories = Vec::with_capacity(people.len());
    let mut started = 0;
    for person in people {
        let clients = u32::try_from(person.clients.len())?;
        started += u64::from(clients);
        context.progress.wait_until_allowed(started).await;
        let slot = Arc::clone(&slots).acquire_many_owned(clients).await?;
        let context = Arc::clone(context);
        running.spawn(async move {
            let history = sign_up(&context, person).await;
            drop(slot);
            history
        });
        while let Some(history) = running.try_join_next() {
            histories.push(history??);
        }
    }
    while let Some(history) = running.join_next().await {
        histories.push(history??);
    }
    Ok(histories)
}

/// Runs the clients of one person at the same time.
async fn sign_up(context: &ClientContext, person: Person) -> anyhow::Result<PersonHistory> {
    if let Some(profile) = &person.registered_before {
        context.register_at_tenant(&person.email, profile).await?;
    }
    let sign_up = async |plan| match plan {
        Some(plan) => Some(context.sign_up(&person, plan).await),
        None => None,
    };
    let (first, second) =
        tokio::join!(sign_up(person.clients.first()), sign_up(person.clients.get(1)));
    let histories = first.into_iter().chain(second).collect();
    Ok((person, histories))
}
