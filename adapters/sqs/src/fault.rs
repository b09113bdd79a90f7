//! What an answer other than success means to the caller.
//!
//! In: the SDK's error of a whole call, or an entry's error code. Out: [`QueueFault`]. AWS's
//! message is never carried on: it may quote what was sent. Its code says enough.

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::BatchResultErrorEntry;
use shared::ports::QueueFault;

/// Codes that concern the caller or the queue, whatever the entries are.
const WHOLE_CALL: [&str; 8] = [
    "AccessDenied",
    "AccessDeniedException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "InvalidAddress",
    "InvalidSecurity",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
];

/// Codes that pass by themselves although their status is 4xx.
const OF_THE_MOMENT: [&str; 8] = [
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "OverLimit",
    "KmsThrottled",
    "RequestTimeout",
];

/// Codes of a receipt handle that no longer holds.
const STALE: [&str; 4] = [
    "ReceiptHandleIsInvalid",
    "MessageNotInflight",
    "AWS.SimpleQueueService.MessageNotInflight",
    "InvalidParameterValue",
];

/// What the entries of a call carry, which decides what `InvalidParameterValue` means: SQS says it
/// of a bad message as well as of an expired receipt handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    Messages,
    ReceiptHandles,
}

/// The fault of a whole call.
pub(crate) fn of_call<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> QueueFault {
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = short(answer.err().code().unwrap_or("no code"));
            let text = format!("{code}, status {status}");
            if status >= 500 || status == 429 || OF_THE_MOMENT.contains(&code) {
                QueueFault::Unavailable(text)
            } else {
                QueueFault::Refused(text)
            }
        }
        SdkError::ConstructionFailure(_) => QueueFault::Refused(
            "the request could not be built; hint: check the address".to_owned(),
        ),
        SdkError::TimeoutError(_) => QueueFault::Unavailable("no answer in time".to_owned()),
        SdkError::DispatchFailure(_) => QueueFault::Unavailable("no connection".to_owned()),
        _ => QueueFault::Unavailable("the answer could not be read".to_owned()),
    }
}

/// Whether the fault may be one entry's doing, so that the others deserve a call without it.
pub(crate) fn may_be_of_an_entry<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(short);
    matches!(of_call(error), QueueFault::Refused(_))
        && code.is_some_and(|code| !WHOLE_CALL.contains(&code))
}

/// The fault of one entry in an answer of status 200.
pub(crate) fn of_entry(entry: &BatchResultErrorEntry, carries: Carries) -> QueueFault {
    of_code(entry.code(), entry.sender_fault(), carries)
}

fn of_code(code: &str, sender_fault: bool, carries: Carries) -> QueueFault {
    let code = short(code);
    if carries == Carries::ReceiptHandles && STALE.contains(&code) {
        QueueFault::Stale
    } else if !sender_fault || OF_THE_MOMENT.contains(&code) {
        QueueFault::Unavailable(code.to_owned())
    } else {
        QueueFault::Refused(code.to_owned())
    }
}

/// The code without the name space that the JSON protocol puts before it.
fn short(code: &str) -> &str {
    code.rsplit('#').next().unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_stale_refused_or_to_be_tried_again() {
        use Carries::{Messages, ReceiptHandles};
        let check = |code: &str, sender_fault, carries, expected: &str| {
            let fault = of_code(code, sender_fault, carries);
            assert_eq!(fault.to_string(), expected, "{code} of {carries:?}");
        };
        let stale = "the receipt handle is stale";
        check("ReceiptHandleIsInvalid", true, ReceiptHandles, stale);
        check("InvalidParameterValue", true, ReceiptHandles, stale);
        check("com.amazonaws.sqs#MessageNotInflight", true, ReceiptHandles, stale);
        check("InternalError", false, ReceiptHandles, "the queue did not answer: InternalError");
        check("RequestThrottled", true, Messages, "the queue did not answer: RequestThrottled");
        check("InvalidParameterValue", true, Messages, "the queue refused: InvalidParameterValue");
        check(
            "InvalidMessageContents",
            true,
            Messages,
            "the queue refused: InvalidMessageContents",
        );
    }
}
