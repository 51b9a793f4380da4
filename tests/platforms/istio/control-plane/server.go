package main

import (
	"encoding/json"
	"fmt"
	"net"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/test"
	"istio.io/istio/pkg/util/sets"
	"istio.io/istio/pkg/workloadapi/security"
)

// istioVersion is what the proxies say that they are, as EnvoyFilters may match on it.
const istioVersion = "1.32.0"

type server struct {
	fake *xds.FakeDiscoveryServer
	// applied are Istio's objects that the server has, by kind, namespace and name.
	applied map[string]config.Config
}

// proxyConfiguration is what one proxy gets.
type proxyConfiguration struct {
	Listeners []json.RawMessage `json:"listeners"`
	Clusters  []json.RawMessage `json:"clusters"`
	Routes    []json.RawMessage `json:"routes"`
	// Extensions are the filters that a listener names and gets by themselves (ECDS).
	Extensions []json.RawMessage `json:"extensions"`
}

// start serves the scenario at the listener, or for calls alone where there is none.
func start(t test.Failer, s *scenario, listener net.Listener) *server {
	configs, err := s.configs()
	if err != nil {
		t.Fatal(err)
	}
	meshConfig, err := s.meshConfig()
	if err != nil {
		t.Fatal(err)
	}
	applied := map[string]config.Config{}
	// Where two objects are alike but for their age, Istio takes the older one first: the order of the
	// scenario is the order in which they were applied.
	begin := time.Now().Add(-time.Hour).Truncate(time.Second)
	for index := range configs {
		configs[index].CreationTimestamp = begin.Add(time.Duration(index) * time.Second)
		applied[configs[index].Key()] = configs[index]
	}
	options := xds.FakeOptions{
		Configs:                configs,
		KubernetesObjectString: documents(s.Kubernetes),
		MeshConfig:             meshConfig,
	}
	if listener != nil {
		options.ListenerBuilder = func() (net.Listener, error) { return listener, nil }
	}
	return &server{fake: xds.NewFakeDiscoveryServer(t, options), applied: applied}
}

// ztunnel are the policies that the ambient mesh's ztunnel enforces: those among Kubernetes' objects.
func (s *server) ztunnel(t test.Failer) []json.RawMessage {
	policies := []*security.Authorization{}
	if s.fake.AmbientIndex != nil {
		for _, policy := range s.fake.AmbientIndex.Policies(nil) {
			policies = append(policies, policy.Authorization)
		}
	}
	return dump(t, policies)
}

func (s *server) generate(t test.Failer, proxies []proxy) map[string]proxyConfiguration {
	generated := map[string]proxyConfiguration{}
	for _, proxy := range proxies {
		node := s.fake.SetupProxy(node(t, proxy))
		listeners := s.fake.Listeners(node)
		extensions := s.fake.ConfigGen.BuildExtensionConfiguration(node, s.fake.PushContext(), discovered(listeners), nil)
		generated[proxy.Name] = proxyConfiguration{
			Listeners:  dump(t, listeners),
			Clusters:   dump(t, s.fake.Clusters(node)),
			Routes:     dump(t, s.fake.Routes(node)),
			Extensions: dump(t, extensions),
		}
	}
	return generated
}

// discovered are the names of the HTTP filters that listeners get by themselves.
func discovered(listeners []*listenerv3.Listener) []string {
	names := sets.New[string]()
	for _, listener := range listeners {
		for _, chain := range append(listener.FilterChains, listener.DefaultFilterChain) {
			for _, filter := range chain.GetFilters() {
				manager := &hcm.HttpConnectionManager{}
				if filter.GetTypedConfig().UnmarshalTo(manager) != nil {
					continue
				}
				for _, http := range manager.HttpFilters {
					if http.GetConfigDiscovery() != nil {
						names.Insert(http.Name)
					}
				}
			}
		}
	}
	return sets.SortedList(names)
}

func node(t test.Failer, proxy proxy) *model.Proxy {
	metadata := &model.NodeMetadata{}
	if len(proxy.Metadata) > 0 {
		if err := json.Unmarshal(proxy.Metadata, metadata); err != nil {
			t.Fatalf("the metadata of %s: %v", proxy.Name, err)
		}
	}
	metadata.Namespace = proxy.Namespace
	metadata.Labels = proxy.Labels
	metadata.ServiceAccount = proxy.ServiceAccount
	if metadata.IstioVersion == "" {
		metadata.IstioVersion = istioVersion
	}
	return &model.Proxy{
		Type:            model.NodeType(proxy.Type),
		IPAddresses:     []string{proxy.IP},
		ID:              proxy.Name + "." + proxy.Namespace,
		ConfigNamespace: proxy.Namespace,
		Labels:          proxy.Labels,
		Metadata:        metadata,
	}
}

func dump[T proto.Message](t test.Failer, messages []T) []json.RawMessage {
	dumped := []json.RawMessage{}
	for _, message := range messages {
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		dumped = append(dumped, text)
	}
	return dumped
}

// reload takes over what has changed among Istio's objects.
func (s *server) reload(t test.Failer, file string) error {
	scenario, err := read(file)
	if err != nil {
		return err
	}
	configs, err := scenario.configs()
	if err != nil {
		return err
	}
	wanted := map[string]config.Config{}
	for _, object := range configs {
		wanted[object.Key()] = object
	}
	store := s.fake.Store()
	for key, object := range s.applied {
		if _, stays := wanted[key]; stays {
			continue
		}
		if err := store.Delete(object.GroupVersionKind, object.Name, object.Namespace, nil); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		delete(s.applied, key)
	}
	for key, object := range wanted {
		known, there := s.applied[key]
		if there {
			object.CreationTimestamp = known.CreationTimestamp
			_, err = store.Update(object)
		} else {
			object.CreationTimestamp = time.Now()
			_, err = store.Create(object)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		s.applied[key] = object
	}
	s.fake.EnsureSynced(t)
	return nil
}
