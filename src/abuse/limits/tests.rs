//! The limits, attempt by attempt: what each bounds, what lifts it, and who is exempt.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock::SystemClock;
use crate::digest::Digests;

const RARELY: Duration = Duration::from_hours(1);

fn settings() -> LimitSettings {
    let rate = |burst| Some(Rate { burst, every: RARELY });
    LimitSettings {
        posts: rate(4),
        address: rate(3),
        email: rate(2),
        with_proof: rate(2),
        service: None,
        failed_captchas: None,
        events: None,
        max_buckets: 10_000,
        exempt: Vec::new(),
        email_key: EmailKeySettings { ignore_plus_tag: true, ignore_dots: Vec::new() },
    }
}

fn limits(settings: LimitSettings, shared: bool) -> Limits {
    let digests = Digests::new(&"k".repeat(32).into(), None);
    Limits::new(
        settings,
        shared,
        &AbuseState::default(),
        &Context::new(Arc::new(SystemClock), digests),
    )
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn email(number: u32) -> EmailAddress {
    EmailAddress::parse(&format!("ada{number}@example.com")).unwrap()
}

/// The limit that rejects, if one does.
fn rejected_by<T>(acquired: Result<T, Rejection>) -> Option<Limit> {
    match acquired.err()? {
        Rejection::Limited { limit, .. } => Some(limit),
        other => panic!("{other:?}"),
    }
}

fn attempt(limits: &Limits, from: &str, email: &EmailAddress, has_proof: bool) -> Option<Limit> {
    rejected_by(limits.acquire_attempt(
        address(from),
        email,
        has_proof,
        AttemptCost::One,
        &RateLimitReport::default(),
    ))
}

#[test]
fn nobody_can_lock_the_owner_of_an_address_out() {
    let limits = limits(settings(), false);
    let victim = email(0);
    // From any number of places, with and without proofs.
    for n in 0..50 {
        let from = format!("192.0.2.{n}");
        attempt(&limits, &from, &victim, false);
        for _ in 0..9 {
            attempt(&limits, &from, &victim, true);
        }
    }
    assert_eq!(attempt(&limits, "198.51.100.1", &victim, false), Some(Limit::Email));
    assert_eq!(attempt(&limits, "198.51.100.1", &victim, true), None);
    // A tag does not get around the cap.
    let tagged = EmailAddress::parse("ADA0+x@example.com").unwrap();
    assert_eq!(attempt(&limits, "198.51.100.1", &tagged, true), None);
    assert_eq!(attempt(&limits, "198.51.100.1", &tagged, true), Some(Limit::WithProof));
}

#[test]
fn an_address_without_permits_spends_no_other_permits() {
    let limits = limits(settings(), false);
    for n in 1..=3 {
        assert_eq!(attempt(&limits, "192.0.2.1", &email(n), false), None);
    }
    for _ in 0..20 {
        assert_eq!(attempt(&limits, "192.0.2.1", &email(0), false), Some(Limit::Address));
    }
    for _ in 0..2 {
        assert_eq!(attempt(&limits, "192.0.2.2", &email(0), false), None);
    }
    assert_eq!(attempt(&limits, "192.0.2.2", &email(0), false), Some(Limit::Email));
}

#[test]
fn a_site_that_rotates_networks_has_eight_times_the_permits_of_an_address() {
    let limits = limits(settings(), false);
    let mut allowed = 0;
    for n in 0..1_000 {
        let from = format!("2001:db8:7:{n:x}::1");
        match attempt(&limits, &from, &email(n), false) {
            None => allowed += 1,
            Some(limit) => assert_eq!(limit, Limit::Site),
        }
    }
    assert_eq!(allowed, 24);
    assert_eq!(attempt(&limits, "2001:db8:8::1", &email(0), false), None);
}

#[test]
fn the_limit_on_posts_reports_the_state_of_the_address_and_never_of_its_site() {
    let limits = limits(settings(), false);
    let reported = |from: &str| {
        let report = RateLimitReport::default();
        let rejected = rejected_by(limits.acquire_post(address(from), &report));
        (rejected, report.quota().map(|quota| (quota.limit, quota.remaining)))
    };
    for remaining in [3, 2, 1, 0] {
        assert_eq!(reported("2001:db8:9::1"), (None, Some((Limit::Posts, remaining))));
    }
    assert_eq!(reported("2001:db8:9::1"), (Some(Limit::Posts), Some((Limit::Posts, 0))));
    for n in 4..32 {
        assert_eq!(reported(&format!("2001:db8:9:{n:x}::1")).0, None);
    }
    assert_eq!(reported("2001:db8:9:ffff::1"), (Some(Limit::Posts), None));
}

/// Each limit alone: an IPv6 /48 gets at most eight times what one of its /64s gets.
#[test]
fn every_limit_that_counts_by_address_counts_the_site_too() {
    // Every field by its name, so that a new limit does not compile without a look at this.
    let off = LimitSettings {
        posts: None,
        address: None,
        email: None,
        with_proof: None,
        service: None,
        // `tests/api/captcha.rs` has it.
        failed_captchas: None,
        events: None,
        max_buckets: 10_000,
        exempt: Vec::new(),
        email_key: EmailKeySettings { ignore_plus_tag: true, ignore_dots: Vec::new() },
    };
    let rate = Some(Rate { burst: 2, every: RARELY });
    let alone = [
        LimitSettings { posts: rate, ..off.clone() },
        LimitSettings { address: rate, ..off.clone() },
        LimitSettings { email: rate, ..off.clone() },
        LimitSettings { with_proof: rate, ..off.clone() },
        LimitSettings { service: rate, ..off.clone() },
        LimitSettings { events: rate, ..off },
    ];
    for settings in alone {
        let described = format!("{settings:?}");
        let limits = limits(settings, false);
        let passes = |from: IpAddr, n: u32| {
            let report = RateLimitReport::default();
            let tagged = EmailAddress::parse(&format!("ada+{n}@example.com")).unwrap();
            let attempt = |has_proof| {
                limits.acquire_attempt(from, &tagged, has_proof, AttemptCost::One, &report)
            };
            limits.acquire_post(from, &report).is_ok()
                && limits.admits_event(from)
                && attempt(false).is_ok()
                && attempt(true).is_ok()
        };
        let site = |n: u32| address(&format!("2001:db8:7:{n:x}::1"));
        assert!((0..1_000).filter(|n| passes(site(*n), *n)).count() <= 16, "{described}");
    }
}

#[test]
fn a_block_takes_a_quarter_of_all_attempts_at_most() {
    let service = Some(Rate { burst: 400, every: RARELY });
    let limits = limits(LimitSettings { service, ..settings() }, false);
    let mut allowed = 0;
    for n in 0..1_000 {
        match attempt(&limits, &format!("192.0.2.{}", n % 256), &email(n), false) {
            None => allowed += 1,
            Some(limit) => assert!(matches!(limit, Limit::Address | Limit::Block), "{limit:?}"),
        }
    }
    assert_eq!(allowed, 100);
    assert_eq!(attempt(&limits, "198.51.100.1", &email(0), false), None);
    assert_eq!(attempt(&limits, "192.0.2.1", &email(2_000), true), None, "with a proof");
}

#[test]
fn every_form_of_an_ipv4_address_has_one_bucket() {
    let limits = limits(settings(), false);
    for (n, from) in (0..).zip(["192.0.2.1", "64:ff9b::192.0.2.1", "2002:c000:201::1"]) {
        assert_eq!(attempt(&limits, from, &email(n), false), None);
    }
    let mapped = "::ffff:192.0.2.1";
    assert_eq!(attempt(&limits, mapped, &email(9), false), Some(Limit::Address));
}

#[test]
fn an_exempt_network_still_has_the_limits_of_an_e_mail_address() {
    let exempt = vec!["192.0.2.0/24".parse().unwrap()];
    let limits = limits(LimitSettings { exempt, ..settings() }, false);
    for n in 0..20 {
        let report = RateLimitReport::default();
        assert_eq!(rejected_by(limits.acquire_post(address("::ffff:192.0.2.9"), &report)), None);
        assert_eq!(attempt(&limits, "192.0.2.9", &email(n), false), None);
        assert_eq!(report.quota(), None);
    }
    assert_eq!(attempt(&limits, "192.0.2.9", &email(0), false), None);
    assert_eq!(attempt(&limits, "192.0.2.9", &email(0), false), Some(Limit::Email));
}

/// A server that posts for its users may need all of them.
#[test]
fn an_exempt_network_is_no_part_of_a_block() {
    let rate = |burst| Some(Rate { burst, every: RARELY });
    let exempt = vec!["192.0.2.0/28".parse().unwrap()];
    let settings = LimitSettings { service: rate(400), exempt, ..settings() };
    let limits = limits(settings, true);
    for n in 0..400 {
        assert_eq!(attempt(&limits, "192.0.2.9", &email(n), false), None, "{n}");
    }
    let last = attempt(&limits, "192.0.2.9", &email(400), false);
    assert_eq!(last, Some(Limit::Service));
}

#[test]
fn only_per_client_limits_are_reported() {
    let limits = limits(settings(), false);
    let report = RateLimitReport::default();
    let attempt = || {
        limits.acquire_attempt(address("192.0.2.1"), &email(0), false, AttemptCost::One, &report)
    };
    assert!(limits.acquire_post(address("192.0.2.1"), &report).is_ok());
    assert_eq!(report.quota().map(|quota| (quota.limit, quota.remaining)), Some((Limit::Posts, 3)));
    assert!(attempt().is_ok() && attempt().is_ok());
    assert_eq!(
        report.quota().map(|quota| (quota.limit, quota.remaining)),
        Some((Limit::Address, 1))
    );
    assert_eq!(rejected_by(attempt()), Some(Limit::Email));
    assert_eq!(report.quota(), None);
}

#[test]
fn shared_limits_are_charged_by_digest_and_their_rejection_is_recorded() {
    let limits = limits(settings(), true);
    let report = RateLimitReport::default();
    let AcquiredPermits { charges, keys } = limits
        .acquire_attempt(address("2001:db8::1"), &email(0), false, AttemptCost::One, &report)
        .unwrap();
    let charged: Vec<_> = charges.iter().map(|charge| charge.limit).collect();
    assert_eq!(charged, [Limit::Address, Limit::Site, Limit::Email]);
    let mut buckets: Vec<_> = charges.iter().map(|charge| charge.bucket).collect();
    buckets.dedup();
    assert_eq!(buckets.len(), 3);

    let wait = Duration::from_secs(90);
    let rejection = Rejection::Limited { limit: Limit::Address, retry_after: wait };
    assert_eq!(attempt(&limits, "2001:db8::1", &email(1), false), None);
    limits.record_shared_rejection(rejection, &keys, &report);
    assert_eq!(report.quota().map(|quota| (quota.remaining, quota.next_in)), Some((0, wait)));
    assert_eq!(attempt(&limits, "2001:db8::1", &email(2), false), Some(Limit::Address));
}

#[test]
fn a_limit_that_is_off_spends_nothing() {
    let off =
        LimitSettings { posts: None, address: None, email: None, with_proof: None, ..settings() };
    let limits = limits(off, true);
    for _ in 0..100 {
        let report = RateLimitReport::default();
        assert!(limits.acquire_post(address("192.0.2.1"), &report).is_ok());
        let acquired = limits.acquire_attempt(
            address("192.0.2.1"),
            &email(0),
            false,
            AttemptCost::One,
            &report,
        );
        assert!(acquired.unwrap().charges.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_counts_twice_waits_for_two_permits_and_a_rejection_takes_none() {
    let every = Duration::from_mins(1);
    let rate = |burst| Some(Rate { burst, every });
    let limits = limits(LimitSettings { address: rate(4), service: rate(8), ..settings() }, true);
    let acquire = |number| {
        let (report, cost) = (RateLimitReport::default(), AttemptCost::Two);
        let from = address("192.0.2.1");
        limits.acquire_attempt(from, &email(number), false, cost, &report)
    };
    for number in 0..2 {
        let mut charges = acquire(number).unwrap().charges;
        charges.dedup_by_key(|charge| charge.bucket);
        let bursts: Vec<_> = charges.iter().map(|charge| charge.rate.burst).collect();
        assert_eq!(bursts, [2, 1, 4], "address, e-mail address, service");
    }
    for retry_after in [2 * every, every] {
        let limited = Rejection::Limited { limit: Limit::Address, retry_after };
        assert_eq!(acquire(2).unwrap_err(), limited);
        tokio::time::advance(every).await;
    }
    acquire(2).unwrap();
    // The rejected attempts have taken nothing from what others share.
    let (report, other) = (RateLimitReport::default(), address("192.0.2.2"));
    for number in 3..6 {
        let cost = AttemptCost::One;
        limits.acquire_attempt(other, &email(number), false, cost, &report).unwrap();
    }
}
