package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	httpwasm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"istio.io/istio/pkg/util/sets"
	"istio.io/istio/pkg/wasm"
)

// pull serves what is at the path, an OCI image layout by a registry or else a file by HTTP, and fetches
// it as istio-agent fetches the module of a WasmPlugin with this `sha256`.
func pull(path, sha256 string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	about, err := os.Stat(path)
	if err != nil {
		return err
	}
	var url string
	if about.IsDir() {
		go func() { _ = http.Serve(listener, registry.New()) }()
		url = "oci://" + address + "/breakglass-filter:0.1.0"
		if err := push(path, address); err != nil {
			return err
		}
	} else {
		go func() { _ = http.Serve(listener, http.FileServer(http.Dir(filepath.Dir(path)))) }()
		url = "http://" + address + "/" + filepath.Base(path)
	}
	work, err := os.MkdirTemp("", "pull")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	cache := wasm.NewLocalFileCache(work, wasm.Options{
		InsecureRegistries: sets.New(address), HTTPRequestTimeout: time.Minute, HTTPRequestMaxRetries: 1,
	})
	defer cache.Cleanup()
	file, err := cache.Get(url, wasm.GetOptions{
		Checksum: sha256, ResourceName: "payments.breakglass", ResourceVersion: "1", RequestTimeout: time.Minute,
	})
	if err != nil {
		fmt.Println("refused:", err)
		return instead(url, sha256, cache)
	}
	module, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	fmt.Println("accepted:", len(module), "bytes")
	return nil
}

// instead prints what istio-agent gives to Envoy in place of a filter whose module it cannot have.
func instead(url, sha256 string, cache wasm.Cache) error {
	remote := &core.RemoteDataSource{HttpUri: &core.HttpUri{Uri: url, Timeout: durationpb.New(time.Minute)}, Sha256: sha256}
	code := &core.AsyncDataSource{Specifier: &core.AsyncDataSource_Remote{Remote: remote}}
	vm := &wasmv3.PluginConfig_VmConfig{VmConfig: &wasmv3.VmConfig{Runtime: "envoy.wasm.runtime.v8", Code: code}}
	plugin := &wasmv3.PluginConfig{Name: "payments.breakglass", Vm: vm, FailurePolicy: wasmv3.FailurePolicy_FAIL_RELOAD}
	filter, err := anypb.New(&httpwasm.Wasm{Config: plugin})
	if err != nil {
		return err
	}
	resource, err := anypb.New(&core.TypedExtensionConfig{Name: "payments.breakglass", TypedConfig: filter})
	if err != nil {
		return err
	}
	resources := []*anypb.Any{resource}
	if err := wasm.MaybeConvertWasmExtensionConfig(resources, cache); err != nil {
		return err
	}
	converted := &core.TypedExtensionConfig{}
	if err := resources[0].UnmarshalTo(converted); err != nil {
		return err
	}
	text, err := protojson.Marshal(converted)
	if err != nil {
		return err
	}
	fmt.Println("instead:", string(text))
	return nil
}

// push gives the only image of the layout to the registry at the address.
func push(path, address string) error {
	index, err := layout.ImageIndexFromPath(path)
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	if len(manifest.Manifests) != 1 {
		return fmt.Errorf("%s has %d images, and should have one", path, len(manifest.Manifests))
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return err
	}
	reference, err := name.ParseReference(address+"/breakglass-filter:0.1.0", name.Insecure)
	if err != nil {
		return err
	}
	return remote.Write(reference, image)
}
