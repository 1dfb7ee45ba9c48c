//! Where a configuration comes from: files, variables, and what in it comes from the environment.

use std::fs;
use std::path::Path;

use spanline::Builder;
use tracing_subscriber::Registry;

use crate::support::child::{child, stdout_lines};

fn error_of(builder: Builder) -> Option<String> {
    builder.build::<Registry>().err().map(|error| format!("{error:#}"))
}

#[test]
fn a_file_that_cannot_be_a_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanline.toml");
    let refused = |path: &Path| error_of(Builder::from_file(path)).expect("the file is refused");
    assert!(refused(&path).contains("spanline.toml"), "it is missing");
    fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
    assert!(refused(&path).contains("it is larger than 1 MiB"));
    fs::write(&path, "#".repeat(1 << 20)).unwrap();
    assert_eq!(error_of(Builder::from_file(&path)), None);
    fs::write(&path, b"service = \"\xff\"").unwrap();
    assert!(refused(&path).contains("not UTF-8"));
    assert!(refused(folder.path()).contains("not a regular file"));
    #[cfg(unix)]
    {
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(refused(&pipe).contains("not a regular file"));
        assert!(refused(Path::new("/dev/zero")).contains("not a regular file"));
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_other_users_can_write_to_is_refused_unless_allowed() {
    use std::os::unix::fs::PermissionsExt;

    use crate::support::users::{ATTACKER, give, may_play_users};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanline.toml");
    fs::write(&path, "service = 'orders'").unwrap();
    for (mode, is_safe) in [(0o644, true), (0o600, true), (0o664, false), (0o646, false), (0o622, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = error_of(Builder::from_file(&path));
        assert_eq!(error.is_none(), is_safe, "{mode:o}: {error:?}");
        assert!(error.is_none_or(|error| error.contains(&format!("mode {mode:o}); run `chmod go-w`"))));
        assert_eq!(error_of(Builder::from_file(&path).allow_writable_file()), None);
    }
    // As a ConfigMap's: through links.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let link = folder.path().join("link.toml");
    std::os::unix::fs::symlink("spanline.toml", &link).unwrap();
    assert_eq!(error_of(Builder::from_file(&link)), None);
    if may_play_users("a_file_that_other_users_can_write_to_is_refused_unless_allowed") {
        give(&path, ATTACKER);
        assert!(error_of(Builder::from_file(&path)).unwrap().contains("it belongs to another user"));
        assert_eq!(error_of(Builder::from_file(&path).allow_writable_file()), None);
    }
}

#[test]
fn init_reads_the_file_that_the_variable_names_for_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let text = "service = 'orders'\nfilter = 'warn'\n[static_fields]\nversion = '${TEST_VERSION:-dev}'\nhost = '${TEST_HOST}'\n";
    fs::write(folder.path().join("prod.toml"), text).unwrap();
    let path = format!("{}/{{env}}.toml", folder.path().display());
    let inside = || {
        let _guard = spanline::init().unwrap();
        tracing::info!("hidden");
        tracing::warn!("shown");
    };
    let variables = [("SPANLINE_CONFIG", path.as_str()), ("SPANLINE_ENV", "prod"), ("TEST_HOST", "web-1 ${HOME}")];
    let Some(output) = child(this_test!(), &variables, inside) else { return };
    let lines = stdout_lines(&output);
    assert_eq!(lines.len(), 1, "{lines:?}");
    for expected in
        ["\"message\":\"shown\"", "\"service\":\"orders\"", "\"version\":\"dev\"", "\"host\":\"web-1 ${HOME}\""]
    {
        assert!(lines[0].contains(expected), "{lines:?}");
    }
}

#[test]
fn a_file_of_the_variable_that_is_missing_is_an_error_of_init() {
    let inside = || {
        let error = spanline::init().err().unwrap().to_string();
        assert!(error.contains("SPANLINE_CONFIG") && error.contains("/nowhere/default.toml"), "{error}");
        assert!(!Path::new("/nowhere").exists());
    };
    child(this_test!(), &[("SPANLINE_CONFIG", "/nowhere/{env}.toml")], inside);
}

#[test]
fn an_environment_cannot_leave_the_directory_of_the_path() {
    for environment in ["../prod", "a/b", ".."] {
        let builder = Builder::from_file("conf/{env}.toml").environment(environment);
        assert!(error_of(builder).unwrap().contains("cannot be part of a path"), "{environment}");
    }
}

#[test]
fn nothing_but_static_fields_is_interpreted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.log");
    let text = format!("service = '${{HOME}}'\noutput.a.sink = {{ file = '{}' }}", file.display());
    let (layer, guard) = Builder::from_toml(text).build().unwrap();
    use tracing_subscriber::prelude::*;
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || tracing::info!("x"));
    guard.close().unwrap();
    assert!(fs::read_to_string(&file).unwrap().contains("\"service\":\"${HOME}\""));
}

#[test]
fn toml_and_json_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let toml = format!(
        "service = 'orders'\noutput.a.sink = {{ file = '{}' }}\nstatic_fields = {{ n = 1, f = 1.5, b = true }}",
        at("toml.log").display()
    );
    let json = format!(
        "{{\"$schema\": \"docs/configuration.schema.json\", \"service\": \"orders\", \"output\": {{\"a\": {{\"sink\": {{\"file\": \"{}\"}}}}}}, \"static_fields\": {{\"n\": 1, \"f\": 1.5, \"b\": true}}}}",
        at("json.log").display()
    );
    fs::write(at("a.toml"), toml).unwrap();
    fs::write(at("a.json"), json).unwrap();
    let logs = ["toml", "json"].map(|form| {
        let builder = Builder::from_file(at(&format!("a.{form}"))).clock(|| crate::support::stage::NOW).id_seed(1);
        let (layer, guard) = builder.build().unwrap();
        use tracing_subscriber::prelude::*;
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || tracing::info!("x"));
        guard.close().unwrap();
        fs::read_to_string(at(&format!("{form}.log"))).unwrap()
    });
    assert!(logs[0].contains("\"n\":1") && logs[0].contains("\"service\":\"orders\""), "{}", logs[0]);
    assert_eq!(logs[0], logs[1]);
}
