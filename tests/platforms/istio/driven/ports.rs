//! What the shipped policies do to a port of the workload that speaks no HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::identity::TCP;
use super::kubectl::kustomize;
use super::mesh::Mesh;
use super::namespaces::inside;

#[test]
fn a_tcp_port_of_a_guarded_workload_goes_on_working() {
    inside("driven::ports::a_tcp_port_of_a_guarded_workload_goes_on_working", || {
        let mesh = Mesh::start(kustomize("envoy/istio/sidecar"));
        let workload = mesh.workload();
        workload.pod.until_ready();
        let mut connection = TcpStream::connect(workload.pod.address(TCP)).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        connection.write_all(b"any bytes\n").unwrap();
        let mut back = [0; 10];
        connection.read_exact(&mut back).expect("the application's answer");
        assert_eq!(&back, b"any bytes\n");
    });
}
