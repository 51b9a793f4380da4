// An OpenTelemetry collector, of the project's own parts with its OTLP receiver, and two small ones beside them: an
// exporter that writes each batch of logs as a line of JSON to standard output, as the file exporter does, and an
// authenticator of one bearer token. Built by scripts/platforms collector.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry"
)

// linesConfig says what becomes of logs: written, or refused, "for now" or "for good".
type linesConfig struct {
	Refuse string `mapstructure:"refuse"`
}

// lines is the exporter.
type lines struct {
	component.StartFunc
	component.ShutdownFunc
	config    *linesConfig
	marshaler plog.JSONMarshaler
	writing   sync.Mutex
}

func (*lines) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (l *lines) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	switch l.config.Refuse {
	case "for now":
		return errors.New("the queue is full")
	case "for good":
		return consumererror.NewPermanent(errors.New("not wanted"))
	}
	line, err := l.marshaler.MarshalLogs(logs)
	if err != nil {
		return err
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	_, err = os.Stdout.Write(append(line, '\n'))
	return err
}

// tokenConfig has the value of the header Authorization that is let in.
type tokenConfig struct {
	Authorization string `mapstructure:"authorization"`
}

// token is the authenticator.
type token struct {
	component.StartFunc
	component.ShutdownFunc
	config *tokenConfig
}

func (t *token) Authenticate(ctx context.Context, headers map[string][]string) (context.Context, error) {
	if !slices.Equal(headers["Authorization"], []string{t.config.Authorization}) {
		return ctx, errors.New("unknown token")
	}
	return ctx, nil
}

func factories() (otelcol.Factories, error) {
	otlp := otlpreceiver.NewFactory()
	stdout := exporter.NewFactory(
		component.MustNewType("lines"),
		func() component.Config { return &linesConfig{} },
		exporter.WithLogs(func(_ context.Context, _ exporter.Settings, config component.Config) (exporter.Logs, error) {
			return &lines{config: config.(*linesConfig)}, nil
		}, component.StabilityLevelDevelopment),
	)
	authenticator := extension.NewFactory(
		component.MustNewType("token"),
		func() component.Config { return &tokenConfig{} },
		func(_ context.Context, _ extension.Settings, config component.Config) (extension.Extension, error) {
			return &token{config: config.(*tokenConfig)}, nil
		},
		component.StabilityLevelDevelopment,
	)
	return otelcol.Factories{
		Receivers:  map[component.Type]receiver.Factory{otlp.Type(): otlp},
		Exporters:  map[component.Type]exporter.Factory{stdout.Type(): stdout},
		Extensions: map[component.Type]extension.Factory{authenticator.Type(): authenticator},
		// It says nothing of itself: its own exporters would be most of what is compiled.
		Telemetry: telemetry.NewFactory(func() component.Config { return &struct{}{} }),
	}, nil
}

func main() {
	command := otelcol.NewCommand(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "collector", Version: "test"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()},
			DefaultScheme:     "file",
		}},
	})
	if err := command.Execute(); err != nil {
		log.Fatal(err)
	}
}
