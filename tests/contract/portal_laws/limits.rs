//! Bursts, days and searches: who is throttled when, and what the headers say.

use serde_json::json;

use super::bench::{Bench, Got, V3, over_both_doors};

#[tokio::test]
async fn no_ten_seconds_hold_more_calls_than_the_burst() {
    over_both_doors(async |bench: Bench| {
        bench.portal.set(|settings| settings.burst_max = 3);
        for left in ["2", "1", "0"] {
            let got = bench.get(V3).await;
            assert_eq!((got.status, remaining(&got)), (200, left));
            assert_eq!(got.header("x-hubspot-ratelimit-max"), "3");
            assert_eq!(got.header("x-hubspot-ratelimit-interval-milliseconds"), "10000");
            bench.pass(3);
        }
        // 9 s after the first call: its window has a second to go.
        let got = bench.get(V3).await;
        assert_eq!((got.status, &got.json["policyName"]), (429, &json!("TEN_SECONDLY_ROLLING")));
        assert_eq!(got.json["errorType"], json!("RATE_LIMIT"));
        assert_eq!(got.headers.get("retry-after"), None);
        bench.pass(1);
        assert_eq!(bench.get(V3).await.status, 200);
        assert_eq!(bench.portal.peak_in_ten_seconds(), 4);

        bench.portal.set(|settings| settings.retry_after_on_429 = true);
        assert_eq!(bench.get(V3).await.header("retry-after"), "10");
        assert_eq!(bench.portal.stats().throttled, 2);
    })
    .await;
}

#[tokio::test]
async fn each_token_has_a_burst_of_its_own_and_all_share_the_day() {
    over_both_doors(async |mut bench: Bench| {
        bench.portal.grant("second", &[]);
        bench.portal.set(|settings| (settings.burst_max, settings.daily_max) = (1, 3));
        assert_eq!(bench.get(V3).await.status, 200);
        assert_eq!(bench.get(V3).await.status, 429);
        bench.token = "second".into();
        let got = bench.get(V3).await;
        assert_eq!((got.status, daily(&got)), (200, "1"));
        bench.pass(10);
        assert_eq!(bench.get(V3).await.status, 200);
        bench.pass(10);
        let got = bench.get(V3).await;
        assert_eq!((got.status, &got.json["policyName"]), (429, &json!("DAILY")));
    })
    .await;
}

#[tokio::test]
async fn the_day_ends_at_the_accounts_midnight() {
    over_both_doors(async |bench: Bench| {
        // The clock stands at 14:13:20 UTC, in this zone at 23:13:20.
        bench.portal.set(|settings| {
            settings.daily_max = 1;
            settings.utc_offset_minutes = 9 * 60;
            settings.time_zone = "Asia/Tokyo".into();
        });
        let details = bench.get("/account-info/v3/details").await;
        assert_eq!(details.json["timeZone"], json!("Asia/Tokyo"));
        assert_eq!(details.json["utcOffset"], json!("+09:00"));
        bench.pass(46 * 60);
        assert_eq!(bench.get(V3).await.status, 429);
        bench.pass(60);
        assert_eq!(bench.get(V3).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_traffic_of_others_eats_the_budgets() {
    over_both_doors(async |bench: Bench| {
        bench.portal.set(|settings| {
            settings.others.daily_per_s = 5.0;
            settings.others.burst_per_s = 2.0;
            settings.others.search_per_s = 5.0;
        });
        let before = bench.get(V3).await;
        assert_eq!((daily(&before), remaining(&before)), ("249999", "79"));
        bench.pass(20);
        assert_eq!(daily(&bench.get(V3).await), "249898");
        assert_eq!(bench.post(&format!("{V3}/search"), json!({})).await.status, 429);
    })
    .await;
}

#[tokio::test]
async fn the_usage_endpoint_is_minutes_behind() {
    over_both_doors(async |bench: Bench| {
        let path = "/account-info/v3/api-usage/daily/private-apps";
        let first = bench.get(path).await.json["results"][0].clone();
        assert_eq!(first["fetchStatus"], json!("SUCCESS"));
        assert_eq!(first["resetsAt"], json!("2026-09-22T00:00:00Z"));
        bench.get(V3).await;
        let later = bench.get(path).await.json["results"][0].clone();
        assert_eq!(later["currentUsage"], first["currentUsage"]);
        assert_eq!(later["fetchStatus"], json!("CACHED"));
        bench.pass(300);
        assert_eq!(bench.get(path).await.json["results"][0]["currentUsage"], json!(4));
    })
    .await;
}

#[tokio::test]
async fn search_sees_a_write_seconds_later() {
    over_both_doors(async |bench: Bench| {
        let path = format!("{V3}/search");
        let by_name = |name: &str| {
            let filter = json!({"propertyName": "firstname", "operator": "EQ", "value": name});
            json!({"filterGroups": [{"filters": [filter]}]})
        };
        let id = bench.create("a@b.co").await;
        assert_eq!(bench.post(&path, json!({})).await.json["total"], json!(0));
        bench.pass(5);
        assert_eq!(bench.post(&path, json!({})).await.ids(), [id.as_str()]);
        bench.patch(&format!("{V3}/{id}"), json!({"properties": {"firstname": "Ada"}})).await;
        assert_eq!(bench.post(&path, by_name("Ada")).await.json["total"], json!(0));
        bench.pass(5);
        assert_eq!(bench.post(&path, by_name("ada")).await.ids(), [id.as_str()]);
        bench.delete(&format!("{V3}/{id}")).await;
        assert_eq!(bench.post(&path, by_name("ada")).await.json["total"], json!(1));
        bench.pass(5);
        assert_eq!(bench.post(&path, by_name("ada")).await.json["total"], json!(0));
    })
    .await;
}

#[tokio::test]
async fn search_by_address_finds_primary_ones_only() {
    over_both_doors(async |bench: Bench| {
        let (first, second) = (bench.create("one@b.co").await, bench.create("two@b.co").await);
        let body = json!({"primaryObjectId": first, "objectIdToMerge": second});
        bench.post(&format!("{V3}/merge"), body).await;
        bench.pass(5);
        for (property, operator, value, total) in [
            ("email", "EQ", "one@b.co", 1),
            ("email", "EQ", "two@b.co", 0),
            ("hs_additional_emails", "CONTAINS_TOKEN", "two@b.co", 1),
            ("email", "HAS_PROPERTY", "", 1),
            ("firstname", "NOT_HAS_PROPERTY", "", 1),
            ("createdate", "GT", "2020-01-01T00:00:00Z", 1),
            ("email", "CONTAINS_TOKEN", "one*", 1),
        ] {
            let filter = json!({"propertyName": property, "operator": operator, "value": value});
            let body = json!({"filterGroups": [{"filters": [filter]}]});
            let got = bench.post(&format!("{V3}/search"), body).await;
            assert_eq!(got.json["total"], json!(total), "{property} {operator} {}", got.text);
            bench.pass(1);
        }
    })
    .await;
}

#[tokio::test]
async fn search_has_five_a_second_and_ten_thousand_results() {
    over_both_doors(async |bench: Bench| {
        let path = format!("{V3}/search");
        for _ in 0..5 {
            let got = bench.post(&path, json!({})).await;
            assert_eq!((got.status, got.headers.get("x-hubspot-ratelimit-max")), (200, None));
        }
        let got = bench.post(&path, json!({})).await;
        assert_eq!((got.status, &got.json["policyName"]), (429, &json!("SECONDLY")));
        bench.pass(1);
        assert_eq!(bench.post(&path, json!({"limit": 201})).await.status, 400);
        let beyond = json!({"limit": 100, "after": "9950"});
        assert_eq!(bench.post(&path, beyond).await.status, 400);
        for n in 0..3 {
            bench.create(&format!("p{n}@b.co")).await;
        }
        bench.pass(5);
        let body = json!({"limit": 2, "sorts": ["-email"], "properties": ["email"]});
        let got = bench.post(&path, body).await;
        assert_eq!(got.json["results"][0]["properties"]["email"], json!("p2@b.co"));
        assert_eq!(got.json["paging"]["next"]["after"], json!("2"));
        let got = bench.post(&path, json!({"limit": 2, "after": "2"})).await;
        assert_eq!((got.ids().len(), got.json.get("paging")), (1, None));
    })
    .await;
}

fn remaining(got: &Got) -> &str {
    got.header("x-hubspot-ratelimit-remaining")
}

fn daily(got: &Got) -> &str {
    got.header("x-hubspot-ratelimit-daily-remaining")
}
