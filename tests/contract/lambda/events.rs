//! The events that AWS makes for functions: API Gateway of a request, and the event source of a FIFO
//! queue's messages.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::Message;
use serde_json::{Value, json};

/// What API Gateway makes of a request to the stage `prod` of an HTTP API.
pub(crate) fn gateway_event(method: &str, path: &str, query: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": format!("/prod{path}"),
        "rawQueryString": query,
        "headers": {
            "accept": "*/*",
            "content-type": "application/json",
            "host": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "origin": "https://hedgehog.cloud",
            "user-agent": "Mozilla/5.0",
            "x-amzn-trace-id": "Root=1-6924c0de-0123456789abcdef01234567",
            "x-forwarded-for": "192.0.2.10",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "a1b2c3d4e5",
            "authorizer": { "jwt": { "claims": { "exp": "1800000000", "n": 1.5 }, "scopes": null } },
            "domainName": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "a1b2c3d4e5",
            "http": {
                "method": method,
                "path": format!("/prod{path}"),
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.10",
                "userAgent": "Mozilla/5.0",
            },
            "requestId": "UoDrfhx8oAMEPdg=",
            "routeKey": format!("{method} {path}"),
            "stage": "prod",
            "time": "24/Nov/2026:20:00:00 +0000",
            "timeEpoch": 1_795_550_400_123_u64,
        },
        "isBase64Encoded": false,
    })
}

/// The event that Lambda makes of a FIFO queue's messages.
pub(crate) fn sqs_event(messages: &[Message]) -> Value {
    let record = |message: &Message| {
        let attributes = message.attributes().expect("all attributes were asked for");
        let attributes: BTreeMap<&str, &String> =
            attributes.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let own = message.message_attributes().into_iter().flatten();
        let own: BTreeMap<&String, Value> = own
            .map(|(name, value)| {
                let value = json!({
                    "stringValue": value.string_value(),
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": value.data_type(),
                });
                (name, value)
            })
            .collect();
        json!({
            "messageId": message.message_id(),
            "receiptHandle": message.receipt_handle(),
            "body": message.body(),
            "attributes": attributes,
            "messageAttributes": own,
            "md5OfBody": message.md5_of_body(),
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:events.fifo",
            "awsRegion": "us-east-1",
        })
    };
    json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() })
}
