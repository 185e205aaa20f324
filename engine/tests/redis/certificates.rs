//! An authority of the tests' own, and what it vouches for, made by `openssl` in a directory that is removed with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A certificate authority, a certificate of a server called `localhost` (and 127.0.0.1), and one of a client.
pub struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    pub fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("spillway-certificates-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let made = Certificates { directory };
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        made.openssl(&["req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ours"], &curve);
        for (name, names) in [("server", "DNS:localhost,IP:127.0.0.1"), ("client", "DNS:client")] {
            let (key, request) = (format!("{name}.key"), format!("{name}.csr"));
            let subject = format!("/CN={name}");
            made.openssl(&["req", "-keyout", &key, "-out", &request, "-subj", &subject], &curve[..5]);
            fs::write(made.directory.join("names"), format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\n"))
                .unwrap();
            let signing = ["x509", "-req", "-in", &request, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
            made.openssl(&signing, &["-out", &format!("{name}.pem"), "-days", "2", "-extfile", "names"]);
        }
        made
    }

    fn openssl(&self, first: &[&str], second: &[&str]) {
        let mut command = Command::new("openssl");
        command.args(first).args(second).current_dir(&self.directory).stdin(Stdio::null());
        let output = command.output().unwrap_or_else(|error| panic!("openssl does not start ({error})"));
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(Path::new(&self.path(name))).unwrap()
    }

    /// Arguments for a server that speaks TLS on this port, and asks for a client's certificate or does not: `yes`, `no`.
    pub fn arguments(&self, port: u16, clients: &str) -> Vec<String> {
        let (ca, cert, key) = (self.path("ca.pem"), self.path("server.pem"), self.path("server.key"));
        let port = port.to_string();
        [
            "--tls-port",
            &port,
            "--tls-ca-cert-file",
            &ca,
            "--tls-cert-file",
            &cert,
            "--tls-key-file",
            &key,
            "--tls-auth-clients",
            clients,
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
