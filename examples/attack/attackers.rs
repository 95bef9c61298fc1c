//! Attacks with complete requests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use auth0_emulator::{Fault, Gate, PolicyPreset, Route};
use reqwest::Client;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::captcha_service::CaptchaService;
use super::forms::{
    self, AttackRequest, PASSWORD, guess, ipv4, of_one_block, of_one_site, proof, robot, with,
};
use super::honest::Honest;
use super::report::{Bounds, Report};
use super::service::Service;

/// The maximum number of concurrent requests of an attacker.
const CONCURRENCY: usize = 64;

type Statuses = BTreeMap<u16, usize>;

/// The address of the n-th request.
type Source = fn(u32) -> String;

/// Sends requests with a bounded concurrency.
async fn send(
    client: &Client,
    address: SocketAddr,
    requests: impl Iterator<Item = AttackRequest>,
) -> anyhow::Result<Statuses> {
    let mut statuses = Statuses::new();
    let mut running: JoinSet<anyhow::Result<u16>> = JoinSet::new();
    for attack_request in requests {
        if running.len() >= CONCURRENCY
            && let Some(result) = running.join_next().await
        {
            *statuses.entry(result??).or_default() += 1;
        }
        let client = client.clone();
        running.spawn(async move { forms::post(&client, address, attack_request).await });
    }
    while let Some(result) = running.join_next().await {
        *statuses.entry(result??).or_default() += 1;
    }
    Ok(statuses)
}

/// Runs one attack with the default settings. Honest people sign up beside it.
async fn attack(
    report: &mut Report,
    name: &str,
    requests: impl Iterator<Item = AttackRequest>,
    bounds: Bounds,
) -> anyhow::Result<()> {
    if !report.includes(name) {
        return Ok(());
    }
    let service = Service::start(&[]).await?;
    let honest = Honest::start(&service);
    let statuses = send(&service.client, service.address, requests).await?;
    report.row(name, service, &statuses, honest, bounds).await
}

pub(crate) async fn from_one_address(report: &mut Report) -> anyhow::Result<()> {
    let requests = (0..2_000).map(|n| ("192.0.2.1".to_owned(), robot(n)));
    // The burst, the attempts without a proof, and what a minute refills.
    let bounds = Bounds::of_one_network(55);
    attack(report, "2,000 posts from one address", requests, bounds).await
}

pub(crate) async fn from_one_site(report: &mut Report) -> anyhow::Result<()> {
    let requests = (0..2_000).map(|n| (of_one_site(n), robot(n)));
    let bounds = Bounds::of_one_network(440);
    attack(report, "2,000 posts from a /48, each from another /64", requests, bounds).await
}

pub(crate) async fn from_one_block(report: &mut Report) -> anyhow::Result<()> {
    let requests = (0..2_560).map(|n| (format!("192.0.2.{}", n % 256), robot(n)));
    // A quarter of what the service accepts in all.
    let bounds = Bounds { may_ask: false, ..Bounds::of_many_networks(600, 2_560) };
    attack(report, "2,560 posts from a /24, ten of each address", requests, bounds).await
}

pub(crate) async fn from_many_addresses(report: &mut Report) -> anyhow::Result<()> {
    let requests = (0..10_000).map(|n| (ipv4(n), robot(n)));
    // The burst of the whole service, and ten a second.
    let bounds = Bounds::of_many_networks(3_000, 10_000);
    attack(report, "10,000 addresses of 40 /24s, a post each", requests, bounds).await
}

/// Honest people share the attacker's bucket here, so there are none.
pub(crate) async fn forged_addresses(report: &mut Report) -> anyhow::Result<()> {
    let name = "2,000 forged X-Forwarded-For, proxy not trusted";
    if !report.includes(name) {
        return Ok(());
    }
    let service = Service::start(&[("SIGNUP__HTTP__TRUSTED_PROXIES", "")]).await?;
    let requests = (0..2_000).map(|n| (ipv4(n), robot(n)));
    let statuses = send(&service.client, service.address, requests).await?;
    let bounds = Bounds::of_one_network(55);
    report.row(name, service, &statuses, Honest::none(), bounds).await
}

/// The whole service must not be under pressure after this.
pub(crate) async fn alarm_from_one_address(report: &mut Report) -> anyhow::Result<()> {
    let form = |n| if n == 0 { robot(0) } else { guess("bot0@example.com", n) };
    let requests = (0..300).map(move |n| ("192.0.2.1".to_owned(), form(n)));
    let bounds = Bounds::of_one_network(20);
    attack(report, "300 posts of one address for one taken e-mail address", requests, bounds).await
}

pub(crate) async fn alarm_from_one_site(report: &mut Report) -> anyhow::Result<()> {
    let form = |n: u32| guess(&format!("bot{}@example.com", n % 100), n);
    let requests = (0..2_000).map(move |n| {
        // Taken addresses, filled honeypots and forged proofs.
        let form = match n % 4 {
            2 => with(form(n), "subject", "buy"),
            3 => with(form(n), "altcha", "x"),
            _ => form(n),
        };
        (of_one_site(n), form)
    });
    let bounds = Bounds::of_one_network(440);
    attack(report, "2,000 fruitless posts from a /48", requests, bounds).await
}

pub(crate) async fn credential_stuffing(report: &mut Report) -> anyhow::Result<()> {
    let requests = (0..2_000).map(|n| (ipv4(n), guess(&format!("known{}@example.com", n % 5), n)));
    let bounds = Bounds::of_many_networks(60, 2_000);
    let name = "2,000 passwords for 5 addresses, each from another address";
    attack(report, name, requests, bounds).await
}

pub(crate) async fn robots(report: &mut Report) -> anyhow::Result<()> {
    let requests = (0..500).map(|n| (ipv4(n), with(robot(n), "subject", "buy")));
    let bounds = Bounds::of_many_networks(0, 500);
    attack(report, "500 robots of 2 /24s that fill in the honeypot", requests, bounds).await
}

/// Sends one proof from many addresses.
pub(crate) async fn replayed_proof(report: &mut Report) -> anyhow::Result<()> {
    let name = "one proof, sent 1,000 times from 250 addresses";
    if !report.includes(name) {
        return Ok(());
    }
    let service = Service::start(&[]).await?;
    let honest = Honest::start(&service);
    let proof = proof(&service.client, service.address, "192.0.2.1").await?;
    let requests =
        (0..1_000).map(|n| (format!("192.0.2.{}", n % 250), with(robot(n), "altcha", &proof)));
    let statuses = send(&service.client, service.address, requests).await?;
    report.row(name, service, &statuses, honest, Bounds::of_one_network(1)).await
}

/// Fetches proofs from calm addresses, and sends them from one that is under pressure.
pub(crate) async fn calm_proofs(report: &mut Report) -> anyhow::Result<()> {
    let name = "30 proofs fetched by calm addresses, sent by one under pressure";
    if !report.includes(name) {
        return Ok(());
    }
    let service = Service::start(&[]).await?;
    let (client, address) = (&service.client, service.address);
    let from = || "192.0.2.1".to_owned();
    // Beyond its limits: from now on a proof costs this address more.
    drop(send(client, address, (0..200).map(|n| (from(), robot(n)))).await?);
    let before = service.reached_tenant();
    let mut requests = Vec::new();
    for n in 1_000..1_030 {
        let proof = proof(client, address, &ipv4(n)).await?;
        requests.push((from(), with(robot(n), "altcha", &proof)));
    }
    let honest = Honest::start(&service);
    let statuses = send(client, address, requests.into_iter()).await?;
    let passed = service.reached_tenant() - before;
    report.check(passed == 0, "a proof of a calm address paid for one under pressure");
    report.row(name, service, &statuses, honest, Bounds::of_one_network(60)).await
}

/// Requests challenges from one /48 while an honest person does.
pub(crate) async fn challenge_flood(report: &mut Report) -> anyhow::Result<()> {
    let name = "2,500 challenges for a /48";
    if !report.includes(name) {
        return Ok(());
    }
    let service = Service::start(&[]).await?;
    let honest = Honest::start(&service);
    let (client, address) = (service.client.clone(), service.address);
    let waiting = tokio::spawn(async move {
        let mut longest = Duration::ZERO;
        for n in 0..20 {
            let started_at = Instant::now();
            forms::challenge(&client, address, &format!("203.0.113.{n}")).await?;
            longest = longest.max(started_at.elapsed());
            sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(longest)
    });
    let started_at = Instant::now();
    let mut statuses = Statuses::new();
    let mut running: JoinSet<anyhow::Result<u16>> = JoinSet::new();
    for n in 0..2_500 {
        if running.len() >= CONCURRENCY
            && let Some(status) = running.join_next().await
        {
            *statuses.entry(status??).or_default() += 1;
        }
        let client = service.client.clone();
        running
            .spawn(async move { Ok(forms::challenge(&client, address, &of_one_site(n)).await?.0) });
    }
    while let Some(status) = running.join_next().await {
        *statuses.entry(status??).or_default() += 1;
    }
    let longest = waiting.await??;
    let issued = statuses.get(&200).copied().unwrap_or_default();
    let minutes = usize::try_from(started_at.elapsed().as_secs() / 60 + 1)?;
    report.check(issued <= 480 + 480 * minutes, "a /48 got more challenges than eight addresses");
    report.check(longest < Duration::from_secs(1), "an honest person waited for a challenge");
    let name = format!("{name} (an honest one waited {longest:.0?} at most)");
    report.row(&name, service, &statuses, honest, Bounds::of_one_network(0)).await
}

/// Posts these forms within two seconds as a browser does, each from another address.
async fn send_a_rush(
    service: &Service,
    from: Source,
    forms: impl Iterator<Item = Value>,
) -> JoinSet<anyhow::Result<u16>> {
    let mut running = JoinSet::new();
    for (n, form) in (0..).zip(forms) {
        let post = service.client.post(format!("http://{}/signup", service.address));
        let post = post.header("accept", "text/html").header("x-forwarded-for", from(n));
        let post = post.json(&with(form, "return_to", &"x".repeat(8_000)));
        // 0: the connection was closed to make room.
        running.spawn(async move { Ok(post.send().await.map_or(0, |it| it.status().as_u16())) });
        // Also after the first one, whose attempt the others find.
        if n % 64 == 0 {
            sleep(Duration::from_millis(50)).await;
        }
    }
    running
}

async fn statuses(mut running: JoinSet<anyhow::Result<u16>>) -> anyhow::Result<Statuses> {
    let mut statuses = Statuses::new();
    while let Some(status) = running.join_next().await {
        *statuses.entry(status??).or_default() += 1;
    }
    Ok(statuses)
}

/// Repeats one form while Auth0 holds its attempt. Each waits for the result, and pays no attempt.
pub(crate) async fn waiting_duplicates(report: &mut Report) -> anyhow::Result<()> {
    let name = "2,300 duplicates from a /48 while Auth0 holds their attempt";
    if !report.includes(name) {
        return Ok(());
    }
    let service = Service::start(&[]).await?;
    let gate = Gate::new();
    service.tenant.fault(Route::CreateUser, Fault::held(&gate));
    let running = send_a_rush(&service, of_one_site, (0..2_300).map(|_| robot(0))).await;
    let honest = Honest::start(&service);
    sleep(Duration::from_secs(3)).await;
    gate.open();
    let statuses = statuses(running).await?;
    let bounds = Bounds { may_ask: false, ..Bounds::of_many_networks(1, 2_300) };
    report.row(name, service, &statuses, honest, bounds).await
}

/// Posts where every response is held for the floor, rejections included.
pub(crate) async fn levelled_posts(report: &mut Report) -> anyhow::Result<()> {
    let sources: [(_, Source, _); 2] = [
        ("2,300 posts from a /48, existence = uniform", of_one_site, 440),
        ("2,300 posts from a /32, each from another /48, existence = uniform", of_one_block, 600),
    ];
    for (name, from, reached) in sources {
        if !report.includes(name) {
            continue;
        }
        let service = Service::start(&[("SIGNUP__EXISTENCE", "uniform")]).await?;
        let running = send_a_rush(&service, from, (0..2_300).map(robot)).await;
        let honest = Honest::start(&service);
        let statuses = statuses(running).await?;
        let bounds = Bounds { may_ask: false, ..Bounds::of_many_networks(reached, 2_300) };
        report.row(name, service, &statuses, honest, bounds).await?;
    }
    Ok(())
}

/// Uses up a victim's permits; the victim then sends a proof.
pub(crate) async fn exhausted_victim(report: &mut Report) -> anyhow::Result<()> {
    let name = "600 attempts that use up a victim's permits";
    if !report.includes(name) {
        return Ok(());
    }
    let service = Service::start(&[]).await?;
    let honest = Honest::start(&service);
    // The tenant rejects what the service accepts: an attempt is used up, and no user is created.
    service.tenant.tenant(|tenant| tenant.policy = PolicyPreset::Excellent);
    let attempt = |n: u32| {
        let form = serde_json::json!({
            "email": "victim@example.com", "password": format!("Abcde{n:03}"),
        });
        (format!("192.0.2.{}", n % 250), form)
    };
    let (client, address) = (&service.client, service.address);
    let statuses = send(client, address, (0..600).map(attempt)).await?;
    let from = "198.51.100.200";
    let proof = proof(client, address, from).await?;
    let form = serde_json::json!({
        "email": "victim@example.com", "password": PASSWORD, "altcha": proof,
    });
    let status = forms::post(client, address, (from.to_owned(), form)).await?;
    report.check(status == 201, "the owner of an address was locked out");
    report.row(name, service, &statuses, honest, Bounds::of_one_network(12)).await
}

/// Sends tokens that the captcha service rejects, where it is asked about each. Honest people have
/// no tokens here, so there are none.
pub(crate) async fn failing_captchas(report: &mut Report) -> anyhow::Result<()> {
    for (required, most) in [("adaptive", 0), ("always", 22)] {
        let name = format!("500 rejected captcha tokens of one address, required = {required}");
        if !report.includes(&name) {
            continue;
        }
        let captchas = CaptchaService::start().await?;
        let service = Service::start(&[
            ("SIGNUP__AUTH0_COMPAT__ENABLED", "false"),
            ("SIGNUP__CHALLENGE__REQUIRED", required),
            ("SIGNUP__CHALLENGE__CAPTCHA__PROVIDER", "turnstile"),
            ("SIGNUP__CHALLENGE__CAPTCHA__SITE_KEY", "site"),
            ("SIGNUP__CHALLENGE__CAPTCHA__SECRET", "secret"),
            ("SIGNUP__CHALLENGE__CAPTCHA__VERIFY_URL", &captchas.url),
            ("SIGNUP__CHALLENGE__CAPTCHA__HOSTNAMES", "www.example.com"),
            // Other limits would end the attack first.
            ("SIGNUP__LIMITS__POSTS__BURST", "1000"),
            ("SIGNUP__LIMITS__ADDRESS__BURST", "1000"),
            ("SIGNUP__CHALLENGE__ADAPTIVE__ADDRESS_BURST", "1000"),
        ])
        .await?;
        let form = |n| with(robot(n), "cf-turnstile-response", "wrong");
        let requests = (0..500).map(|n| ("192.0.2.1".to_owned(), form(n)));
        let statuses = send(&service.client, service.address, requests).await?;
        let asked = captchas.asked();
        report.check(asked <= most, "the captcha service was asked too often");
        let name = format!("{name} ({asked} verified)");
        report.row(&name, service, &statuses, Honest::none(), Bounds::of_one_network(500)).await?;
    }
    Ok(())
}

/// Sends the longest heads as fast as possible for three seconds: what a log event could quote, and a trace
/// state of thousands of keys.
pub(crate) async fn long_heads(report: &mut Report) -> anyhow::Result<()> {
    let long = "A".repeat(30_000);
    let quoted = format!(
        "{long} /signup HTTP/1.1\r\nHost: x\r\n\r\nGET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"
    );
    let keys = (0..3_500).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
    let traced = format!(
        "GET /signup HTTP/1.1\r\nHost: x\r\n\
         traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
         tracestate: {keys}\r\n\r\n"
    );
    for (name, request) in [
        ("three seconds of 30,000-byte methods and paths from one address", quoted),
        ("three seconds of trace states with 3,500 keys from one address", traced),
    ] {
        if !report.includes(name) {
            continue;
        }
        let service = Service::start(&[]).await?;
        let honest = Honest::start(&service);
        let answered = send_for_three_seconds(service.address, &request).await;
        let name = format!("{name} ({answered} responses)");
        report.row(&name, service, &Statuses::new(), honest, Bounds::of_one_network(0)).await?;
    }
    Ok(())
}

/// Sends a request on eight connections, again and again. Returns the number of responses.
async fn send_for_three_seconds(address: SocketAddr, request: &str) -> usize {
    let until = Instant::now() + Duration::from_secs(3);
    let mut connections = JoinSet::new();
    for _ in 0..8 {
        let request = request.to_owned();
        connections.spawn(async move {
            let mut answered = 0;
            while Instant::now() < until {
                let Ok(mut stream) = TcpStream::connect(address).await else { continue };
                // The service closes the connection after the first long head.
                let _sent = stream.write_all(request.as_bytes()).await;
                let mut responses = Vec::new();
                let _ended = stream.read_to_end(&mut responses).await;
                answered += usize::from(responses.starts_with(b"HTTP/1.1 "));
            }
            answered
        });
    }
    connections.join_all().await.into_iter().sum()
}
