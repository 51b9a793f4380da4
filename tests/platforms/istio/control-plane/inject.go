package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"sigs.k8s.io/yaml"

	"istio.io/istio/manifests"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/kube/inject"
)

// chart is where istiod's templates and their values are, inside of the module.
const chart = "charts/istio-control/istio-discovery/"

// injectInto prints what istiod's injector makes of a Deployment in a file, with the templates and the
// default values of its chart. The mesh's configuration is laid over Istio's default.
func injectInto(file, meshYAML string) error {
	object, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	templates, err := injectionTemplates()
	if err != nil {
		return err
	}
	values, err := injectionValues()
	if err != nil {
		return err
	}
	meshConfig, err := mesh.ApplyMeshConfig(meshYAML, mesh.DefaultMeshConfig())
	if err != nil {
		return err
	}
	warnings := []string{}
	out := &bytes.Buffer{}
	err = inject.IntoResourceFile(nil, templates, values, "", meshConfig, bytes.NewReader(object), out,
		func(warning string) { warnings = append(warnings, warning) })
	if err != nil {
		return err
	}
	if len(warnings) > 0 {
		return fmt.Errorf("the injector warns: %s", strings.Join(warnings, "; "))
	}
	fmt.Print(strings.TrimSuffix(out.String(), "---\n"))
	return nil
}

func injectionTemplates() (inject.Templates, error) {
	raw := inject.RawTemplates{}
	for name, file := range map[string]string{
		"sidecar": "injection-template.yaml", "gateway": "gateway-injection-template.yaml",
	} {
		text, err := fs.ReadFile(manifests.FS, chart+"files/"+file)
		if err != nil {
			return nil, err
		}
		raw[name] = string(text)
	}
	return inject.ParseTemplates(raw)
}

// injectionValues are the chart's defaults, as far as its ConfigMap hands them to the templates.
func injectionValues() (inject.ValuesConfig, error) {
	text, err := fs.ReadFile(manifests.FS, chart+"values.yaml")
	if err != nil {
		return inject.ValuesConfig{}, err
	}
	file := struct {
		Defaults map[string]any `json:"_internal_defaults_do_not_set"`
	}{}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return inject.ValuesConfig{}, err
	}
	all := file.Defaults
	gateways, _ := all["gateways"].(map[string]any)
	picked, err := json.Marshal(map[string]any{
		"global":                 all["global"],
		"sidecarInjectorWebhook": all["sidecarInjectorWebhook"],
		"revision":               all["revision"],
		"pilot":                  map[string]any{"cni": all["cni"], "env": all["env"]},
		"gateways": map[string]any{
			"securityContext": gateways["securityContext"], "seccompProfile": gateways["seccompProfile"],
		},
	})
	if err != nil {
		return inject.ValuesConfig{}, err
	}
	return inject.NewValuesConfig(string(picked))
}
