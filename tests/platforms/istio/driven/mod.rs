//! The story in a mesh that runs: Istio's discovery server, pilot-agent and the pinned Envoy in namespaces of their
//! own, the objects that are shipped, the approval service and the command line.
//!
//! What is stood in for, and by what:
//!
//! | in a cluster | here |
//! |---|---|
//! | istiod with the API server | its discovery server in process (`../control-plane`), objects from a file |
//! | kubelet, CNI | namespaces of Linux ([`namespaces`]); the image volume is a folder, a Secret's value a variable |
//! | istio-init | the same program with the same arguments for what comes in; what goes out is not captured |
//! | the injector | its code and templates, for what the patch of a Deployment becomes; else [`pod`] |
//! | kubectl with a server | for the document: a program that asks the real kubectl without one (`kubectl-stand-in`) |
//! | Istio's authority | certificates in files, which pilot-agent hands to Envoy (SDS) |
//! | DNS | `/etc/hosts` |
//! | Istio's own Envoy | the pinned one; the filters that only Istio's has are switched off |

mod admin;
mod asked;
mod cluster;
mod control_plane;
mod gateways;
mod identities;
mod identity;
mod install;
mod kubectl;
mod kubernetes;
mod mesh;
mod namespaces;
mod plain;
mod pod;
mod ports;
mod role;
mod story;
mod updates;
mod waypoint;
