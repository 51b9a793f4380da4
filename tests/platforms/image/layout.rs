//! The image as it is: what a runtime that is Kubernetes' own makes of the file, and what the program in it loads.

use std::process::Command;

use crate::engine::{IMAGE, PLACE, engine, file, run};

/// The digest that `scripts/oci-layout` printed is the one that containerd pulls by.
#[test]
fn containerd_takes_the_layout_as_it_is() {
    // dockerd has started one.
    engine();
    let socket = format!("{PLACE}/exec/containerd/containerd.sock");
    let ctr = |words: &[&str]| run(Command::new("ctr").args(["--address", &socket]).args(words));
    let path = file().display().to_string();
    ctr(&["image", "import", "--digests", "--base-name", "registry.internal/breakglass", &path])
        .done();
    let list = ctr(&["image", "list"]).done();
    let mut tar = Command::new("tar");
    let index = run(tar.args(["-xOf", &path, "index.json"])).json();
    let digest = index["manifests"][0]["digest"].as_str().unwrap();
    let image = format!("registry.internal/breakglass@{digest}");
    assert!(list.contains(&image), "{list}");
    // What skopeo would push has that digest too: docs/install/kubernetes.md has its command.
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "--tmpdir", &format!("{PLACE}/tmp"), "copy", "--quiet"]);
    let pushed = format!("{PLACE}/pushed");
    run(skopeo.arg(format!("oci-archive:{path}")).arg(format!("dir:{pushed}"))).done();
    let sum = run(Command::new("sha256sum").arg(format!("{pushed}/manifest.json"))).done();
    assert!(digest == format!("sha256:{}", sum.split(' ').next().unwrap()), "{digest} {sum}");
    // Its own checks of the image's parts, and a run of it.
    ctr(&["image", "check"]).done();
    let version = ctr(&[
        "run",
        "--rm",
        "--read-only",
        &image,
        "version",
        "/usr/local/bin/breakglass",
        "--version",
    ]);
    assert!(version.done().starts_with("breakglass 0."));
}

#[test]
fn the_engine_knows_what_the_image_says() {
    let found = engine().inspect(IMAGE);
    assert_eq!(found["Config"]["User"], "65532:65532");
    assert_eq!(found["Config"]["Entrypoint"][0], "/usr/local/bin/breakglass");
    println!("   the image has {} bytes unpacked", found["Size"]);
}

/// No library is in the image, so none may be asked for.
#[test]
fn the_program_loads_nothing() {
    let container = engine().docker(&["create", IMAGE, "--version"]).done();
    let binary = format!("{PLACE}/program");
    let from = format!("{container}:/usr/local/bin/breakglass");
    engine().docker(&["cp", &from, &binary]).done();
    engine().docker(&["rm", &container]).done();
    let read = |words: &[&str]| run(Command::new("readelf").args(words).arg(&binary)).done();
    assert!(!read(&["--program-headers"]).contains("INTERP"));
    assert!(!read(&["--dynamic"]).contains("NEEDED"));
}
