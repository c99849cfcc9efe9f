// Package app builds the parts that a configuration asks for, joins them and runs them. The
// parts do not know each other: broker, dashboard and cameras meet only here.
package app

import (
	"context"
	"io"
	"log/slog"
	"net"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/config"
	"camqtt/internal/memlimit"
	"camqtt/internal/run"
	"camqtt/internal/wire"
	"camqtt/node/camera/push"
)

// Options says what New builds.
type Options struct {
	Config  *config.Config
	Log     *slog.Logger
	Environ []string
	Command string               // how the program was called, for advice
	Stderr  io.Writer            // gets the password of the first account
	Given   map[wire.ID][]string // keys of cameras that came as arguments or from the environment
	// MQTTHint and HTTPHint are advice for a port that is taken.
	MQTTHint, HTTPHint string
}

// App is a process with every port bound and nothing running.
type App struct {
	MQTT, TLS, HTTP net.Addr // as bound; nil: none
	PageURL         string   // where a browser finds the dashboard; "" is not known

	cfg      *config.Config
	log      *slog.Logger
	services []run.Named
}

// process is what the steps of New have built so far.
type process struct {
	*parts
	o Options

	accounts  *access.Accounts // nil: there are none, and only this machine can connect
	hub       *hub
	tls       *tlsPorts
	enrolment *enrolment
	push      *push.Server // nil: no board sends pictures here

	mqttAddr, tlsAddr, httpAddr net.Addr
}

// New builds the parts of a configuration. If it fails, no port stays bound.
func New(o Options) (_ *App, err error) {
	memlimit.Limit(o.Log)
	p := &process{parts: &parts{cfg: o.Config, log: o.Log}, o: o}
	p.hub = &hub{parts: p.parts}
	p.enrolment = &enrolment{cfg: o.Config}
	p.tls = &tlsPorts{parts: p.parts, enrolment: p.enrolment}
	defer func() {
		if err != nil {
			p.release()
		}
	}()
	// The order in which the parts start. They stop in reverse.
	for _, add := range []func(*process) error{
		addAccounts, addEnrolment, addBroker, addDashboard, addAnnouncer, addCameras, addFirstAccount,
	} {
		if err := add(p); err != nil {
			return nil, err
		}
	}
	p.add("systemd", run.Notify{Checks: p.checks, Log: o.Log})
	return &App{
		MQTT: p.mqttAddr, TLS: p.tlsAddr, HTTP: p.httpAddr, PageURL: pageURL(o.Config, p.httpAddr),
		cfg: o.Config, log: o.Log, services: p.services,
	}, nil
}

// startTime is after how long everything that a start needs has been used.
const startTime = 30 * time.Second

// Serve runs all parts until ctx is done or one of them ends.
func (a *App) Serve(ctx context.Context) error {
	if a.cfg.Broker == nil && a.cfg.Dashboard == nil {
		memlimit.Lean()
		start := time.AfterFunc(startTime, func() { memlimit.GiveBack(a.log) })
		defer start.Stop()
	}
	return run.All(ctx, a.services...)
}

// LogStart logs the version and where the process listens.
func (a *App) LogStart() {
	number, commit := Version()
	a.log.Info("camqtt starts", "version", number, "commit", commit, "cameras", len(a.cfg.Cameras))
	if a.MQTT != nil {
		a.log.Info("broker listens", "url", "mqtt://"+a.MQTT.String())
	}
	if a.TLS != nil {
		a.log.Info("broker listens", "url", "mqtts://"+a.TLS.String())
	}
	if a.HTTP != nil { // its address may stand for all of this machine, which no browser opens
		a.log.Info("dashboard listens", "url", schemeOf(a.cfg.Dashboard)+a.HTTP.String(), "open", a.PageURL)
	}
}
