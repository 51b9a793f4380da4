//! The Envoy configuration of a test: a listener whose chain is the one that `envoy/` ships
//! (breakglass, RBAC, router), an access log with the audit record, and two clusters.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::artefacts;

mod clusters;

/// How the filter's configuration reaches Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// In the bootstrap.
    Static,
    /// In a listener from a file that can be replaced (LDS).
    Listener,
    /// In an extension configuration from a file that can be replaced (ECDS).
    Extension,
}

/// What begins so has a tenth of a second for its answer.
pub const HURRIED: &str = "/v1/orders/hurried/items";

/// The id of Envoy's node, unless a test says another one.
pub(crate) const NODE: &str = "gate-test";

/// The VMs of these tests.
pub(crate) const VM_ID: &str = "breakglass-tests-91d7";

/// The form in which Envoy hands the filter's configuration over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A `google.protobuf.StringValue` that holds the text.
    Text,
    /// A `google.protobuf.Struct`, for which the text must be JSON.
    Struct,
}

/// What differs between the Envoys of different tests.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The filter's configuration, as text; without one there is no filter in the chain.
    pub filter: Option<String>,
    /// In which form.
    pub form: Form,
    /// How it gets there.
    pub delivery: Delivery,
    /// A host function that Envoy does not let the filter use, though it lets it use the others.
    pub forbidden: Option<&'static str>,
    /// Whether Envoy's clock can be set.
    pub own_clock: bool,
    /// Whether the filter is the one that panics when a request says so.
    pub panicking: bool,
    /// Another build of the filter than the one under test.
    pub module: Option<PathBuf>,
    /// The configuration of the VM, which the filter does not read: another one makes another VM.
    pub vm: u32,
    /// How long a listener that was replaced goes on, in seconds; Envoy's own ten minutes without it.
    pub drain_s: Option<u32>,
    /// The id of Envoy's node.
    pub node: String,
    /// The API behind the gate.
    pub upstream: SocketAddr,
    /// The approval service.
    pub approvals: SocketAddr,
    /// More members of the approval service's cluster, such as its `transport_socket`.
    pub approvals_cluster: Value,
    /// Worker threads: one, so that "the same worker" means something.
    pub concurrency: u32,
    /// An HTTP filter in front of all others.
    pub first: Option<Value>,
    /// Whether Envoy normalises paths first; off, so that the filter sees what was sent.
    pub normalize_path: bool,
    /// Whether the listener speaks TLS and asks for client certificates (`ca.pem`, `gate.pem`
    /// and `gate.key` of the directory).
    pub tls: bool,
}

impl Settings {
    /// The usual: one worker, no normalisation, no TLS.
    #[must_use]
    pub fn new(filter: Option<String>, upstream: SocketAddr, approvals: SocketAddr) -> Settings {
        Settings {
            filter,
            form: Form::Text,
            delivery: Delivery::Static,
            forbidden: None,
            own_clock: false,
            panicking: false,
            module: None,
            vm: 0,
            drain_s: None,
            node: NODE.to_owned(),
            upstream,
            approvals,
            approvals_cluster: json!({}),
            concurrency: 1,
            first: None,
            normalize_path: false,
            tls: false,
        }
    }

    /// The whole bootstrap, for files in `directory`.
    #[must_use]
    pub fn bootstrap(&self, directory: &Path) -> Value {
        let mut bootstrap = json!({
            "node": {"id": self.node, "cluster": "tests"},
            "admin": {"address": address("127.0.0.1:0".parse().unwrap())},
            "stats_config": {"stats_tags": stats_tags()},
            "static_resources": {"clusters": self.clusters()},
        });
        if self.delivery == Delivery::Listener {
            bootstrap["dynamic_resources"] = json!({"lds_config": file(directory, "lds.json")});
        } else {
            bootstrap["static_resources"]["listeners"] = json!([self.listener(directory)]);
        }
        bootstrap
    }

    /// Without a listener and without clusters, which come from files in `directory`.
    pub(crate) fn shared_bootstrap(directory: &Path) -> Value {
        json!({
            "node": {"id": NODE, "cluster": "tests"},
            "admin": {"address": address("127.0.0.1:0".parse().unwrap())},
            "stats_config": {"stats_tags": stats_tags()},
            "dynamic_resources": {
                "cds_config": file(directory, "cds.json"),
                "lds_config": file(directory, "lds.json"),
            },
        })
    }

    /// The file that carries the filter's configuration and can be replaced: name and content.
    #[must_use]
    pub fn resource(&self, directory: &Path, version: u32) -> Option<(&'static str, Value)> {
        let (name, kind, mut resource) = match self.delivery {
            Delivery::Static => return None,
            Delivery::Listener => {
                ("lds.json", "envoy.config.listener.v3.Listener", self.listener(directory))
            }
            Delivery::Extension => {
                let resource = json!({"name": "breakglass", "typed_config": self.wasm()});
                ("ecds.json", "envoy.config.core.v3.TypedExtensionConfig", resource)
            }
        };
        resource["@type"] = json!(format!("type.googleapis.com/{kind}"));
        Some((name, json!({"version_info": version.to_string(), "resources": [resource]})))
    }

    /// The listener, with files in `directory`.
    pub(crate) fn listener(&self, directory: &Path) -> Value {
        let mut filters: Vec<Value> = self.first.iter().cloned().collect();
        if self.filter.is_some() {
            filters.push(self.breakglass(directory));
        }
        filters.extend([rbac(), router()]);
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "gate",
            "codec_type": "AUTO",
            // The tests choose the request's id and the client's address.
            "preserve_external_request_id": true,
            "request_id_extension": {"typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
                "pack_trace_reason": false,
            }},
            // Whatever method and token a client thinks of must reach the filter.
            "http_protocol_options": {"allow_custom_methods": true},
            "max_request_headers_kb": 2048,
            "normalize_path": self.normalize_path,
            "merge_slashes": self.normalize_path,
            // As in `envoy/envoy.yaml`: it counts into the time that a cut takes.
            "delayed_close_timeout": "0.1s",
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "route_config": routes(),
            "access_log": [access_log(directory)],
            "http_filters": filters,
        });
        let mut chain = json!({"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": manager,
        }]});
        if self.tls {
            chain["transport_socket"] = tls(directory);
        }
        json!({
            "name": "gate",
            "address": address("127.0.0.1:0".parse().unwrap()),
            "filter_chains": [chain],
        })
    }

    fn breakglass(&self, directory: &Path) -> Value {
        match self.delivery {
            Delivery::Extension => json!({
                "name": "breakglass",
                "config_discovery": {
                    "config_source": file(directory, "ecds.json"),
                    "type_urls":
                        ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
                },
            }),
            Delivery::Static | Delivery::Listener => {
                json!({"name": "breakglass", "typed_config": self.wasm()})
            }
        }
    }

    fn wasm(&self) -> Value {
        let module = match &self.module {
            Some(module) => module.clone(),
            None if self.panicking => artefacts::panicking_filter(),
            None => artefacts::filter(),
        };
        let mut wasm = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "breakglass",
                "root_id": "breakglass",
                "failure_policy": "FAIL_RELOAD",
                "vm_config": {
                    "vm_id": VM_ID,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": module}},
                    "environment_variables": {"host_env_keys": ["BREAKGLASS_PROXY_TOKEN"]},
                },
                "configuration": self.configuration(),
            },
        });
        if self.vm > 0 {
            wasm["config"]["vm_config"]["configuration"] = json!({
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": self.vm.to_string(),
            });
        }
        if let Some(forbidden) = self.forbidden {
            wasm["config"]["capability_restriction_config"] = all_but(forbidden);
        }
        wasm
    }

    fn configuration(&self) -> Value {
        let kind = |name: &str| format!("type.googleapis.com/google.protobuf.{name}");
        match self.form {
            Form::Text => json!({"@type": kind("StringValue"), "value": self.filter}),
            Form::Struct => {
                let text = self.filter.as_deref().unwrap_or("{}");
                let value: Value = serde_json::from_str(text).expect("a Struct is JSON");
                json!({"@type": kind("Struct"), "value": value})
            }
        }
    }
}

/// Lets the filter use every function whose name is in the module, and export every callback, but
/// for one.
fn all_but(forbidden: &str) -> Value {
    let module = std::fs::read(artefacts::filter()).unwrap();
    let is_name = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_';
    let words = module.split(|byte| !is_name(byte)).filter_map(|word| str::from_utf8(word).ok());
    // Those of WASI go by names of their own.
    let wasi = ["environ_get", "environ_sizes_get", "fd_write", "proc_exit", "random_get"];
    let names = words.filter(|word| word.starts_with("proxy_")).chain(wasi);
    let allowed = names.filter(|name| *name != forbidden).map(|name| (name.to_owned(), json!({})));
    json!({"allowed_capabilities": allowed.collect::<serde_json::Map<_, _>>()})
}

fn address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn file(directory: &Path, name: &str) -> Value {
    json!({"path_config_source": {"path": directory.join(name)}, "resource_api_version": "V3"})
}

/// What turns the filter's counters into Prometheus labels; the same as in `envoy/envoy.yaml`.
fn stats_tags() -> Value {
    json!([
        {"tag_name": "breakglass_decision",
         "regex": r"^wasmcustom\.breakglass\.(?:scope_)?decision(\.([a-z_]+))\.(?:reason|scope)\."},
        {"tag_name": "breakglass_reason",
         "regex": r"^wasmcustom\.breakglass\.decision\.[a-z_]+(\.reason\.([a-z_]+))$"},
        {"tag_name": "breakglass_result",
         "regex": r"^wasmcustom\.breakglass\.[a-z_]+(\.result\.([a-z_]+))$"},
        {"tag_name": "breakglass_scope", "regex": r"^wasmcustom\.breakglass\.scope_decision\.[a-z_]+(\.scope\.([A-Za-z0-9_%-]+))$"},
        {"tag_name": "breakglass_purpose", "regex": r"^wasmcustom\.breakglass\.callout_ms(\.purpose\.([a-z_]+))$"},
    ])
}

fn routes() -> Value {
    // Without a timeout: Envoy's 15 s would end a live stream of a test that a busy machine slows down.
    let upstream = json!({"cluster": "upstream", "timeout": "0s"});
    let route = |name: &str, prefix: &str| json!({"name": name, "match": {"prefix": prefix}, "route": upstream});
    let mut hurried = route("hurried", HURRIED);
    hurried["route"]["timeout"] = json!("0.1s");
    json!({"name": "local", "virtual_hosts": [{"name": "all", "domains": ["*"],
        "routes": [hurried, route("orders", "/v1/orders"), route("rest", "/"),
            json!({"name": "options", "match": {"path": "*"}, "route": upstream})]}]})
}

/// Lets everybody through except under `/guarded/`: there it wants the role, or the permit that
/// the filter leaves in filter state. A header that looks like it counts for nothing.
fn rbac() -> Value {
    let exact = |value: &str| json!({"exact": value});
    json!({
        "name": "rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "ALLOW", "policies": {
                "open": {
                    "permissions": [{"not_rule": {"url_path": {"path": {"prefix": "/guarded/"}}}}],
                    "principals": [{"any": true}],
                },
                "role": {
                    "permissions": [{"any": true}],
                    "principals":
                        [{"header": {"name": "x-role", "string_match": exact("admin")}}],
                },
                "breakglass": {
                    "permissions": [{"any": true}],
                    "principals": [{"filter_state":
                        {"key": "wasm.breakglass_decision", "string_match": exact("allow")}}],
                },
            }},
        },
    })
}

fn router() -> Value {
    json!({"name": "router", "typed_config":
        {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}})
}

fn access_log(directory: &Path) -> Value {
    json!({
        "name": "file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": directory.join("access.log"),
            "log_format": {"json_format": {
                "request_id": "%REQ(X-REQUEST-ID)%",
                "path": "%REQ(:PATH)%",
                "status": "%RESPONSE_CODE%",
                "details": "%RESPONSE_CODE_DETAILS%",
                "flags": "%RESPONSE_FLAGS%",
                "decision": "%FILTER_STATE(wasm.breakglass_decision:PLAIN)%",
                "breakglass": "%FILTER_STATE(wasm.breakglass:PLAIN)%",
            }},
        },
    })
}

/// TLS that asks for a client certificate and does without one.
fn tls(directory: &Path) -> Value {
    let pem = |name: &str| json!({"filename": directory.join(name)});
    json!({
        "name": "tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_certificates":
                    [{"certificate_chain": pem("gate.pem"), "private_key": pem("gate.key")}],
                "validation_context": {"trusted_ca": pem("ca.pem")},
            },
        },
    })
}
