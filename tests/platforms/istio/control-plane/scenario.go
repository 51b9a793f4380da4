package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/schema/collections"
)

type scenario struct {
	Mesh       json.RawMessage   `json:"mesh"`
	Istio      []json.RawMessage `json:"istio"`
	Kubernetes []json.RawMessage `json:"kubernetes"`
	Proxies    []proxy           `json:"proxies"`
}

type proxy struct {
	Name           string            `json:"name"`
	Type           string            `json:"type"`
	IP             string            `json:"ip"`
	Namespace      string            `json:"namespace"`
	Labels         map[string]string `json:"labels"`
	ServiceAccount string            `json:"serviceAccount"`
	Metadata       json.RawMessage   `json:"metadata"`
}

// read refuses members that are not known: a misspelt one would leave something out in silence.
func read(file string) (*scenario, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	read := &scenario{}
	if err := decoder.Decode(read); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return read, nil
}

// documents are the objects as the documents of one YAML file, which JSON is.
func documents(objects []json.RawMessage) string {
	return string(bytes.Join(raw(objects), []byte("\n---\n")))
}

func raw(objects []json.RawMessage) [][]byte {
	texts := make([][]byte, 0, len(objects))
	for _, object := range objects {
		texts = append(texts, object)
	}
	return texts
}

// configs are Istio's objects, validated as Istio's webhook does.
func (s *scenario) configs() ([]config.Config, error) {
	configs, unknown, err := crd.ParseInputs(documents(s.Istio))
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("istiod has no kind %s: does it belong under \"kubernetes\"?", unknown[0].Kind)
	}
	seen := map[string]bool{}
	for index := range configs {
		if configs[index].Namespace == "" {
			configs[index].Namespace = "default"
		}
		key := configs[index].Key()
		if seen[key] {
			return nil, fmt.Errorf("two objects are %s", key)
		}
		seen[key] = true
	}
	return configs, nil
}

// warnings are what Istio's webhook says about objects that it accepts, by kind and name.
func warnings(configs []config.Config) map[string]string {
	found := map[string]string{}
	for _, object := range configs {
		schema, known := collections.PilotGatewayAPI().FindByGroupVersionKind(object.GroupVersionKind)
		if !known {
			continue
		}
		if warning, err := schema.ValidateConfig(object); err == nil && warning != nil {
			found[object.GroupVersionKind.Kind+"/"+object.Name] = warning.Error()
		}
	}
	return found
}

func (s *scenario) meshConfig() (*meshconfig.MeshConfig, error) {
	config := mesh.DefaultMeshConfig()
	if len(s.Mesh) == 0 {
		return config, nil
	}
	return mesh.ApplyMeshConfig(string(s.Mesh), config)
}
