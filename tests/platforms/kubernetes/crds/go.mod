// The definitions (CRDs) that scripts/platforms kubernetes gives to the API server, by the versions that the
// documents speak of. One module has one version in a go.mod, so those of Istio stand under a name each.
module breakglass.test/crds

go 1.26.0

require (
	breakglass.test/gateway-api v1.0.0
	breakglass.test/envoy-gateway v1.0.0
	breakglass.test/prometheus-operator v1.0.0
	breakglass.test/istio-1.24 v1.0.0
	breakglass.test/istio-1.25 v1.0.0
	breakglass.test/istio-1.26 v1.0.0
	breakglass.test/istio-1.27 v1.0.0
	breakglass.test/istio-1.28 v1.0.0
	breakglass.test/istio-1.29 v1.0.0
	breakglass.test/istio-1.30 v1.0.0
	breakglass.test/istio-1.31 v1.0.0
	breakglass.test/istio-1.32 v1.0.0
)

replace (
	breakglass.test/envoy-gateway v1.0.0 => github.com/envoyproxy/gateway v1.9.1
	breakglass.test/gateway-api v1.0.0 => sigs.k8s.io/gateway-api v1.6.1
	breakglass.test/prometheus-operator v1.0.0 => github.com/prometheus-operator/prometheus-operator v0.85.0
	breakglass.test/istio-1.24 v1.0.0 => istio.io/api v1.24.2
	breakglass.test/istio-1.25 v1.0.0 => istio.io/api v1.25.0
	breakglass.test/istio-1.26 v1.0.0 => istio.io/api v1.26.0
	breakglass.test/istio-1.27 v1.0.0 => istio.io/api v1.27.3
	breakglass.test/istio-1.28 v1.0.0 => istio.io/api v1.28.0
	breakglass.test/istio-1.29 v1.0.0 => istio.io/api v1.29.0
	breakglass.test/istio-1.30 v1.0.0 => istio.io/api v1.30.8
	breakglass.test/istio-1.31 v1.0.0 => istio.io/api v1.31.4
	breakglass.test/istio-1.32 v1.0.0 => istio.io/api v1.32.0
)
