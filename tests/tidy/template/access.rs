//! Rules for what is kept, who may reach it, and what each function may do.

use std::collections::{BTreeMap, BTreeSet};

use tests::template::{Template, all, named};

use super::{FUNCTIONS, QUEUES};

#[test]
fn a_function_may_do_what_it_needs_and_no_more() {
    #[track_caller]
    fn check(function: &str, expected: &[&str]) {
        let template = Template::read();
        let role = format!("{function}Role");
        let properties = template.properties(&format!("{function}Function"));
        assert_eq!(named(&properties["Role"]), format!("{role}.Arn"));
        assert!(properties["Policies"].is_null() && properties["Events"].is_null());
        assert!(template.properties(&role)["ManagedPolicyArns"].is_null());
        let mut expected: BTreeSet<String> = expected.iter().map(|&line| line.into()).collect();
        expected.extend([
            format!("logs:CreateLogStream {function}Logs.Arn"),
            format!("logs:PutLogEvents {function}Logs.Arn"),
            // X-Ray knows no resources.
            "xray:PutTelemetryRecords *".into(),
            "xray:PutTraceSegments *".into(),
        ]);
        assert_eq!(template.granted(&role), expected);
    }
    const TOKEN: &str = "ssm:GetParameter arn:${AWS::Partition}:ssm:${AWS::Region}:\
                         ${AWS::AccountId}:parameter${HubSpotTokenParameter}";
    check("Ingest", &["sqs:SendMessage EventsQueue.Arn"]);
    check(
        "Worker",
        &[
            "sqs:ReceiveMessage EventsQueue.Arn",
            "sqs:DeleteMessage EventsQueue.Arn",
            "sqs:ChangeMessageVisibility EventsQueue.Arn",
            "sqs:GetQueueAttributes EventsQueue.Arn",
            "sqs:SendMessage EventsQueue.Arn",
            "sqs:SendMessage DeadLetterQueue.Arn",
            TOKEN,
        ],
    );
    check("Reader", &[TOKEN]);
    let template = Template::read();
    assert_eq!(template.of_type("AWS::IAM::Role").len(), FUNCTIONS.len(), "a role without a rule");
}

#[test]
fn the_secret_has_no_default_and_is_not_shown() {
    let template = Template::read();
    for function in ["IngestFunction", "ReaderFunction"] {
        let secret = named(template.variables(function)["JWT_SECRET"]);
        let parameter = &template.section("Parameters")[secret];
        assert_eq!((&parameter["NoEcho"], &parameter["Default"]), (&true.into(), &"".into()));
    }
}

#[test]
fn a_secret_that_can_be_guessed_is_refused() {
    let template = Template::read();
    let pattern = template.section("Parameters")["JwtSecret"]["AllowedPattern"].as_str().unwrap();
    // None, for `open`; else as many characters as HS256 has bytes.
    assert_eq!(pattern, "^$|^.{32,}$");
}

#[test]
fn what_rests_is_encrypted() {
    let template = Template::read();
    assert_eq!(template.of_type("AWS::SQS::Queue"), QUEUES.into());
    for queue in QUEUES {
        assert_eq!(template.properties(queue)["SqsManagedSseEnabled"], true, "{queue}");
    }
}

/// Logs, SNS, SSM and Lambda's variables are encrypted by AWS without being asked; anything that is
/// not must be thought about here first.
#[test]
fn nothing_else_is_kept_and_nothing_is_open_to_the_world() {
    let template = Template::read();
    let known = BTreeSet::from([
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route",
        "AWS::ApiGatewayV2::Stage",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::IAM::Role",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::Serverless::Function",
        "AWS::Serverless::LayerVersion",
    ]);
    let resources = template.section("Resources");
    let types: BTreeSet<&str> = resources.values().map(|r| r["Type"].as_str().unwrap()).collect();
    assert_eq!(types, known);
    for name in template.of_type("AWS::Lambda::Permission") {
        let permission = template.properties(name);
        assert_eq!(permission["Principal"], "apigateway.amazonaws.com", "{name}");
        assert!(
            named(&permission["SourceArn"]).contains(":${HttpApi}/"),
            "{name}: any API may call"
        );
    }
    for name in template.of_type("AWS::IAM::Role") {
        let trusted = &template.properties(name)["AssumeRolePolicyDocument"]["Statement"];
        for statement in all(trusted) {
            assert_eq!(
                statement["Principal"],
                serde_json::json!({ "Service": "lambda.amazonaws.com" })
            );
        }
    }
    for function in FUNCTIONS {
        assert!(template.properties(function)["FunctionUrlConfig"].is_null(), "{function}");
    }
}

#[test]
fn the_access_log_names_nobody() {
    let template = Template::read();
    let format = named(&template.properties("HttpApiStage")["AccessLogSettings"]["Format"]);
    let fields: BTreeMap<String, String> = serde_json::from_str(format).unwrap();
    for (name, variable) in fields {
        for personal in ["path", "query", "identity", "authorizer", "header"] {
            assert!(!variable.to_lowercase().contains(personal), "{name} is {variable}");
        }
    }
}
