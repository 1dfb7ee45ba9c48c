//! Promise 42: what other programs remove, cut or move under a spool costs no line without a count.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use spanline::metrics::Reason;
use spanline::{Output, Overflow};

use crate::sinks::spooling::{Server, Stage, files, spool};
use crate::support::wait::PATIENCE;

/// Returns the paths of the segments in their order.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = files(folder).into_iter().filter(|name| name.ends_with(".seg")).collect();
    names.sort();
    names.into_iter().map(|name| folder.join("spool").join(name)).collect()
}

/// Another program removes files. No line is lost: all are in one of the spool's files that are open.
#[test]
fn promise_42_what_is_removed_while_lines_are_spooled_is_written_again() {
    type Removes = fn(&Path);
    let removals: [(&str, Removes); 4] = [
        ("the directory", |folder| fs::remove_dir_all(folder.join("spool")).unwrap()),
        ("all files", |folder| {
            files(folder).iter().for_each(|name| fs::remove_file(folder.join("spool").join(name)).unwrap());
        }),
        ("the segment", |folder| fs::remove_file(segments(folder).pop().unwrap()).unwrap()),
        ("the lock", |folder| {
            let lock = files(folder).into_iter().find(|name| name.ends_with(".lock")).unwrap();
            fs::remove_file(folder.join("spool").join(lock)).unwrap();
        }),
    ];
    for (what, removes) in removals {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::away();
        let stage = Stage::new(spool(folder.path(), &server));
        stage.log(0..100);
        stage.until("lines on disk", |books| books.spooled.total() == 100);
        removes(folder.path());
        stage.log(100..200);
        stage.until("more lines on disk", |books| books.spooled.total() == 200);
        removes(folder.path());
        let books = stage.close();
        assert_eq!((books.spooled.total(), books.dropped.total()), (200, 0), "{what}");

        server.comes_back();
        let stage = Stage::new(spool(folder.path(), &server));
        stage.until("all lines written", |books| books.written.total() == 200);
        stage.close();
        assert_eq!(server.received(), (0..200).collect::<Vec<_>>(), "{what}");
    }
}

/// The outage begins after the removal: the spool has only its lock.
#[test]
fn promise_42_a_directory_that_is_removed_before_an_outage_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::default();
    let stage = Stage::new(spool(folder.path(), &server));
    stage.log(0..10);
    stage.until("lines written", |books| books.written.total() == 10);
    fs::remove_dir_all(folder.path().join("spool")).unwrap();
    server.goes_away();
    stage.log(10..100);
    stage.until("lines on disk", |books| books.spooled.total() == 90);
    stage.close();
    server.comes_back();
    let stage = Stage::new(spool(folder.path(), &server));
    stage.until("all lines written", |books| books.written.total() == 90);
    stage.close();
    assert_eq!(server.received(), (0..100).collect::<Vec<_>>());
}

/// A segment that is not open costs its lines, which are counted. The limit of the spool does not count it any more.
#[test]
fn promise_42_a_removed_segment_costs_its_lines_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::away();
    let output = Output::new(spool(folder.path(), &server).max_bytes(1_u64 << 20));
    let stage = Stage::of(output.overflow(Overflow::Block { max_wait: PATIENCE }));
    stage.log_with_warnings(0..1_500);
    stage.until("lines on disk", |books| books.spooled.total() == 1_500);
    let segments = segments(folder.path());
    assert!(segments.len() > 3, "{segments:?}");
    fs::remove_file(&segments[1]).unwrap();
    // The spool is full on the way, and has to find the segment gone.
    stage.log_with_warnings(1_500..12_000);
    stage.until("more lines on disk", |books| books.emitted.total() == books.spooled.total() + books.dropped.total());
    server.comes_back();
    stage.until("all others written", |books| books.spooled.total() == 0);
    let books = stage.close();
    let damaged = books.dropped.reason(Reason::Damaged).total();
    assert!((1..1_500).contains(&damaged), "{books:#?}");
    assert_eq!(books.written.total() + books.dropped.total(), 12_000, "{books:#?}");
    let received: BTreeSet<_> = server.received().into_iter().collect();
    assert_eq!(received.len() as u64, books.written.total());
    assert!(received.contains(&11_999), "the newest are kept");
}

/// Each frame knows its place, so bytes that are put in or cut out cost all that follows, and all of it is counted.
#[test]
fn promise_42_lines_behind_inserted_bytes_are_counted_as_damaged() {
    type Edits = fn(&mut Vec<u8>, usize);
    let edits: [(&str, Edits); 2] = [
        ("inserted", |bytes, middle| drop(bytes.splice(middle..middle, *b"seventeen bytes!!"))),
        ("cut out", |bytes, middle| drop(bytes.drain(middle..middle + 17))),
    ];
    for (what, edits) in edits {
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage::new(spool(folder.path(), &Server::away()));
        stage.log(0..100);
        stage.close();
        let path = segments(folder.path()).pop().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        edits(&mut bytes, middle);
        fs::write(&path, bytes).unwrap();
        let server = Server::default();
        let stage = Stage::new(spool(folder.path(), &server));
        stage.until("the others to be written", |books| books.taken_over.total() > 0 && books.spooled.total() == 0);
        let books = stage.close();
        let damaged = books.dropped.reason(Reason::Damaged).total();
        // One frame was in the middle of the edit. Its length tells whether it is still whole.
        assert!(books.written.total() + damaged >= 99 && damaged > 40, "{what}: {books:#?}");
        assert_eq!(server.received().len() as u64, books.written.total(), "{what}");
    }
}

/// A directory that was moved keeps its lines: the process goes on in it.
#[test]
fn promise_42_a_directory_that_is_moved_is_used_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::away();
    let stage = Stage::new(spool(folder.path(), &server));
    stage.log(0..100);
    stage.until("lines on disk", |books| books.spooled.total() == 100);
    let moved = folder.path().join("moved");
    fs::rename(folder.path().join("spool"), &moved).unwrap();
    // Where it was is something else now, which is not followed.
    fs::create_dir(folder.path().join("other")).unwrap();
    std::os::unix::fs::symlink("other", folder.path().join("spool")).unwrap();
    stage.log(100..200);
    stage.until("more lines on disk", |books| books.spooled.total() == 200);
    stage.close();
    assert_eq!(fs::read_dir(folder.path().join("other")).unwrap().count(), 0);
    fs::remove_file(folder.path().join("spool")).unwrap();
    fs::rename(&moved, folder.path().join("spool")).unwrap();
    server.comes_back();
    let stage = Stage::new(spool(folder.path(), &server));
    stage.until("all lines written", |books| books.written.total() == 200);
    stage.close();
    assert_eq!(server.received(), (0..200).collect::<Vec<_>>());
}
