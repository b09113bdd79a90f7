//! Pages post and never wait: what becomes of an event whose page is gone before the answer.

use ingest::story::FALLBACK_MESSAGE;
use rusqlite::Connection;
use shared::catalog::Catalog;
use sqlite::FILE_NAME;
use tests::running::Running;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const EVENT: &str = r#"{"eventName":"learning_course_enrolled","course_slug":"getting-started-101","contactIdentifier":{"email":"a@b.co"}}"#;

#[tokio::test]
async fn an_event_that_the_queue_does_not_take_is_kept_in_the_log_though_its_page_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start_in(folder.path(), Catalog::default()).await;
    let other = Connection::open(folder.path().join(FILE_NAME)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let address = running.stack.urls().api.trim_start_matches("http://").to_owned();
    let mut page = TcpStream::connect(address).await.unwrap();
    let length = EVENT.len();
    let head =
        format!("POST /events/track HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    page.write_all((head + EVENT).as_bytes()).await.unwrap();
    drop(page);

    let kept = || running.journal.lines_saying(FALLBACK_MESSAGE);
    running.until(|| kept().len() == 1, || format!("{:?}", running.journal.messages())).await;
    other.execute_batch("ROLLBACK").unwrap();
    running.stack.stop().await;
}
