//! Link flags of the addon. Never compiles anything.

fn main() {
    napi_build::setup();
    // An addon that only workers load is unloaded when the last of them ends, and its statics with it: never let go.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
