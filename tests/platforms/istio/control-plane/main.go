// Istio's own discovery server, without a cluster: what istiod generates for the proxies of a
// scenario, or istiod for proxies that connect.
//
//	control-plane generate OUT SCENARIO.json..
//
// writes OUT/SCENARIO.json for each scenario: {"proxies": {NAME: {"listeners": [..], "clusters": [..],
// "routes": [..], "extensions": [..]}}, "warnings": {"KIND/NAME": ..}, "ztunnel": [..]}, each as Envoy's JSON with
// the names of its protobuf fields; the warnings are those of Istio's webhook, and under "ztunnel" are the
// policies that it gets (of objects under "kubernetes"). Exits 1 where a scenario is refused, and names it.
//
//	control-plane listen ADDRESS SCENARIO.json
//
// serves one scenario over plain gRPC at ADDRESS, until it is killed: pilot-agent's discoveryAddress,
// with controlPlaneAuthPolicy NONE. Prints "listening ADDRESS" when proxies may connect. With SIGHUP it
// reads the scenario again, takes over what has changed under "istio", and prints "reloaded", or
// "refused: REASON", and goes on as before.
//
//	control-plane pull PATH SHA256
//
// serves an OCI image layout (a folder) by a registry, or a file by HTTP, and fetches it as istio-agent
// does for a WasmPlugin with this `sha256`. Prints "accepted: N bytes", or "refused: REASON" and what it
// gives to Envoy instead.
//
//	control-plane inject DEPLOYMENT.yaml MESH
//
// prints what istiod's injector makes of a Deployment, with the templates and the default values of
// its chart, and MESH, in YAML, laid over Istio's default MeshConfig.
//
// A scenario:
//
//	{"mesh": {..}, "istio": [..], "kubernetes": [..], "proxies": [{"name": .., "type": "sidecar" |
//	"router" | "waypoint", "ip": .., "namespace": .., "labels": {..}, "serviceAccount": ..,
//	"metadata": {..}}]}
//
// "mesh" is laid over Istio's default MeshConfig; "istio" are the objects of Istio; "kubernetes" those
// of Kubernetes and of the Gateway API; "proxies" are only for generate. "metadata" is a proxy's node
// metadata, such as {"ENABLE_HBONE": "true"}.
//
// What istiod reads from its environment (PILOT_ENABLE_ALPN_FILTER and so on) is read here too.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"istio.io/istio/pkg/log"
	"istio.io/istio/pkg/test"
)

func main() {
	options := log.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	options.SetDefaultOutputLevel(log.OverrideScopeName, log.WarnLevel)
	err := log.Configure(options)
	arguments := os.Args[1:]
	switch {
	case err != nil:
	case len(arguments) >= 3 && arguments[0] == "generate":
		err = generateAll(arguments[1], arguments[2:])
	case len(arguments) == 3 && arguments[0] == "listen":
		err = listen(arguments[1], arguments[2])
	case len(arguments) == 3 && arguments[0] == "pull":
		err = pull(arguments[1], arguments[2])
	case len(arguments) == 3 && arguments[0] == "inject":
		err = injectInto(arguments[1], arguments[2])
	default:
		err = errors.New("usage: control-plane generate OUT SCENARIO.json.. | listen ADDRESS SCENARIO.json | " +
			"pull PATH SHA256 | inject DEPLOYMENT.yaml MESH")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "control-plane:", err)
		os.Exit(1)
	}
}

// generateAll goes on after a scenario that is refused, and returns all the refusals.
func generateAll(out string, files []string) error {
	var refused []error
	for _, file := range files {
		if err := generateOne(out, file); err != nil {
			refused = append(refused, fmt.Errorf("%s: %w", file, err))
		}
	}
	return errors.Join(refused...)
}

func generateOne(out, file string) error {
	scenario, err := read(file)
	if err != nil {
		return err
	}
	var generated map[string]proxyConfiguration
	var ztunnel []json.RawMessage
	err = test.Wrap(func(t test.Failer) {
		server := start(t, scenario, nil)
		generated = server.generate(t, scenario.Proxies)
		ztunnel = server.ztunnel(t)
	})
	if err != nil {
		return err
	}
	configs, err := scenario.configs()
	if err != nil {
		return err
	}
	result := map[string]any{"proxies": generated, "warnings": warnings(configs), "ztunnel": ztunnel}
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, filepath.Base(file)), text, 0o644)
}

func listen(address, file string) error {
	scenario, err := read(file)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	return test.Wrap(func(t test.Failer) {
		server := start(t, scenario, listener)
		fmt.Println("listening", listener.Addr())
		for range hangups {
			if err := server.reload(t, file); err != nil {
				fmt.Println("refused:", err)
			} else {
				fmt.Println("reloaded")
			}
		}
	})
}
