//! Disks that really fill: small file systems in memory, in a mount namespace of the test's own.

mod desk;

use desk::Desk;

/// Runs a script in which `small/` is a file system of 1 MB that goes away with it.
fn with_small_disk(desk: &Desk, script: &str) -> desk::Ran {
    let mount = "mkdir -p small && mount -t tmpfs -o size=1m small small";
    // As root without further ado; as anyone else by a user namespace.
    desk.sh(&format!(
        "if [ $(id -u) = 0 ]; then unshare=-m; else unshare=-rm; fi; \
         unshare $unshare sh -c '{mount} && {{ {script}; }}'"
    ))
}

#[test]
fn a_host_whose_disk_fills_is_dropped_and_leaves_nothing_that_looks_whole() {
    let desk = Desk::with_input(6_000_000);
    let ran = with_small_disk(
        &desk,
        "distdup encode -k 2 -o a -o small/b -o c in >&2; code=$?; ls -A small; exit $code",
    );
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.err.contains("share 1, small/b: failed at byte"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("No space left on device"), "{}", ran.err);
    // The room that the unfinished share took is given back, and the shares that are left suffice.
    assert!(
        ran.out.is_empty(),
        "left behind: {}",
        String::from_utf8_lossy(&ran.out)
    );
    desk.exits(0, "distdup decode a c | cmp - in");
}

#[test]
fn a_disk_that_fills_under_too_many_shares_fails_the_encode() {
    let desk = Desk::with_input(6_000_000);
    let ran = with_small_disk(
        &desk,
        "distdup encode -k 2 -o small/a -o small/b -o c in; code=$?; ls -A small; exit $code",
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("2 of 3 sinks failed"), "{}", ran.err);
    assert!(
        ran.out.is_empty(),
        "left behind: {}",
        String::from_utf8_lossy(&ran.out)
    );
    assert_eq!(desk.names(), ["in", "small"]);
}

#[test]
fn an_output_whose_disk_fills_is_not_there() {
    let desk = Desk::with_input(6_000_000);
    desk.exits(0, "distdup encode -k 2 -n 3 -o s{i} in");
    let ran = with_small_disk(
        &desk,
        "distdup decode s0 s2 -o small/out; code=$?; ls -A small; exit $code",
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("the output failed at byte"), "{}", ran.err);
    assert!(
        ran.out.is_empty(),
        "left behind: {}",
        String::from_utf8_lossy(&ran.out)
    );
}
