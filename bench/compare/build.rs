// SPDX-License-Identifier: BSL-1.0
//! Hands the locked Tokio version to the subjects: Tokio itself exports none at run time.

fn main() {
    let lock = std::fs::read_to_string("Cargo.lock").expect("Cargo.lock");
    let after = lock
        .split("name = \"tokio\"\nversion = \"")
        .nth(1)
        .expect("tokio in Cargo.lock");
    let version = after.split('"').next().expect("a version");
    println!("cargo:rustc-env=TOKIO_VERSION={version}");
    println!("cargo:rerun-if-changed=Cargo.lock");
}
