//! Whose user has an address: by its id, its age, its members and the rows of other attempts.

use super::*;
use crate::ledger::{Basis, Binding, FinishAttempt, Resolution, StoredKey, Urgency};
use crate::signup::call::PreparedCall;
use crate::signup::identity::KeyedRequest;
use crate::signup::test_service::{TestService, attempt};

const CLIENT_KEY: Option<&str> = Some("0123456789abcdef");

const OTHER: Binding = Binding::from_bytes([0xff, 0xff]);

fn binding(request: &KeyedRequest) -> Binding {
    let digest = Binding::from_digest(&request.binding.current);
    assert_ne!(digest, OTHER);
    digest
}

fn user(call: &PreparedCall, created_at: TenantTime) -> FoundUser {
    let user = User::known(call.user_id.to_user_id(), "ada@example.com");
    FoundUser { user, created_at: Some(created_at) }
}

fn tenant(seconds: u64) -> TenantTime {
    TenantTime::from_epoch(Duration::from_secs(1_790_000_000 + seconds))
}

#[tokio::test]
async fn the_claim_of_another_attempt_follows_from_its_state_and_key() {
    use AttemptState::{Created, Exists, NotCreated, Open, Unknown};
    use RivalClaim::{Bound, Contested, Other, Unclaimed};

    /// The key of the other attempt.
    #[derive(Debug, Clone, Copy)]
    enum RivalKey {
        Own,
        OfAnotherForm,
        Expired,
    }
    use RivalKey::{Expired, OfAnotherForm, Own};

    let service = TestService::start().await;
    let now = service.inner().ledger.now().await.unwrap();
    for (client_key, rival_key, states, expected) in [
        (None, Own, &[Open, Unknown, Created][..], Bound),
        (CLIENT_KEY, Own, &[Open, Unknown, Created], Bound),
        (None, OfAnotherForm, &[Created], Other),
        (None, OfAnotherForm, &[Open, Unknown], Contested),
        // The same key with another password.
        (CLIENT_KEY, OfAnotherForm, &[Open, Unknown, Created], Other),
        (None, Expired, &[Created], Other),
        (None, Expired, &[Open, Unknown], Contested),
        (CLIENT_KEY, Expired, &[Created], Unclaimed),
        (CLIENT_KEY, Expired, &[Open, Unknown], Contested),
        (None, Own, &[NotCreated, Exists], Unclaimed),
        (CLIENT_KEY, OfAnotherForm, &[NotCreated, Exists], Unclaimed),
    ] {
        let request = service.request(client_key);
        let call = PreparedCall::new(service.inner(), &request, now);
        let runner = AttemptRunner::new(service.inner(), &request, &call);
        let bound_to = |binding| Some(StoredKey { binding, expires_at: now });
        for state in states {
            let rival = Attempt {
                key: match rival_key {
                    Own => bound_to(binding(&request)),
                    OfAnotherForm => bound_to(OTHER),
                    Expired => None,
                },
                ..attempt(*state, now)
            };
            let claim = runner.claim_of(&rival);
            assert_eq!(claim, expected, "{client_key:?} {rival_key:?} {state:?}");
        }
    }
}

#[tokio::test]
async fn a_user_with_too_many_rivals_is_unclear() {
    let service = TestService::start().await;
    let now = service.inner().ledger.now().await.unwrap();
    let request = service.request(CLIENT_KEY);
    let call = PreparedCall::new(service.inner(), &request, now);
    let runner = AttemptRunner::new(service.inner(), &request, &call);
    let found = user(&call, tenant(0));
    let record = async || {
        let rival = PreparedCall::new(service.inner(), &request, now);
        let rival = PreparedCall { user_id: call.user_id.clone(), ..rival };
        service.record(&request, &rival, OTHER).await;
    };
    let lookup = runner.judge_candidate(&found, Some(tenant(1))).await;
    assert!(matches!(lookup, AddressLookup::Own(_)), "{lookup:?}");
    for _ in 1..MAX_RIVALS {
        record().await;
    }
    let lookup = runner.judge_candidate(&found, Some(tenant(1))).await;
    assert!(matches!(lookup, AddressLookup::Taken), "{lookup:?}");
    record().await;
    let lookup = runner.judge_candidate(&found, Some(tenant(1))).await;
    assert!(matches!(lookup, AddressLookup::Unclear), "{lookup:?}");
}

#[tokio::test]
async fn the_user_of_another_tab_is_at_most_ten_minutes_old() {
    let service = TestService::start().await;
    let now = service.inner().ledger.now().await.unwrap();
    let request = service.request(CLIENT_KEY);
    let call = PreparedCall::new(service.inner(), &request, now);
    let runner = AttemptRunner::new(service.inner(), &request, &call);
    service.record(&request, &call, binding(&request)).await;
    for (age, is_own) in [(0, true), (600, true), (601, false)] {
        let users = vec![user(&call, tenant(0))];
        let found = UsersByEmail { users, responded_at: Some(tenant(age)) };
        assert_eq!(runner.of_another_tab(&found).await.unwrap().is_some(), is_own, "{age} s");
    }
}

#[tokio::test]
async fn a_recent_user_is_unclear_while_the_ledger_cannot_be_read() {
    let service = TestService::start().await;
    let inner = service.inner();
    inner.pin_support.learn(true);
    let now = inner.ledger.now().await.unwrap();
    let mut request = service.request(CLIENT_KEY);
    request.is_own_form = true;
    let call = PreparedCall::new(inner, &request, now);
    let runner = AttemptRunner::new(inner, &request, &call);
    inner.ledger.close().await;
    for (age, is_recent) in [(600, true), (601, false)] {
        let mut recent = user(&call, tenant(0));
        recent.user.user_id = UserId::from_auth0("auth0|of-another-form");
        let found = UsersByEmail { users: vec![recent], responded_at: Some(tenant(age)) };
        let lookup = runner.judge(found).await;
        assert_eq!(matches!(lookup, AddressLookup::Unclear), is_recent, "{age} {lookup:?}");
    }
}

#[tokio::test]
async fn an_unknown_attempt_claims_users_until_its_call_has_certainly_ended() {
    let service = TestService::start().await;
    let inner = service.inner();
    let request = service.request(CLIENT_KEY);
    let now = inner.ledger.now().await.unwrap();
    let rival = PreparedCall::new(inner, &request, now);
    service.record(&request, &rival, OTHER).await;
    let finish = FinishAttempt {
        id: rival.id,
        resolution: Resolution::Unknown,
        outcome_code: Outcome::Unknown.code(),
        auth0_request_id: None,
        basis: Basis::Observed,
        urgency: Urgency::Awaited,
    };
    assert!(inner.ledger.finish(finish).await.unwrap());
    let rival = inner.ledger.get(rival.id).await.unwrap().unwrap();
    let theirs = UserId::from_auth0("auth0|theirs");
    let over = rival.connection_ended_at.unwrap() + inner.timeouts.absence_grace;
    for (started_at, is_unclaimed) in [(now, false), (over, true)] {
        let call = PreparedCall::new(inner, &request, started_at);
        let runner = AttemptRunner::new(inner, &request, &call);
        assert_eq!(runner.is_unclaimed(&theirs).await, is_unclaimed);
    }
}
