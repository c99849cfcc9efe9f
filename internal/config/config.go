// Package config turns YAML files, the environment and key=value arguments into
// one checked [Config]. It owns the list of all keys with their defaults, the
// order in which sources overrule each other, and the texts that say what is
// wrong and where. It never starts, opens or changes anything but reading the
// files it is told of, and never writes a secret into an error or its output.
package config

import (
	"net/netip"
	"strings"
	"time"

	"camqtt/internal/wire"
)

// Config is a whole configuration, checked and with every default filled in.
// Make one with [Load].
type Config struct {
	Broker        *Broker       `yaml:"broker,omitempty"`    // nil: no broker in this process
	Dashboard     *Dashboard    `yaml:"dashboard,omitempty"` // nil: no dashboard
	MQTT          MQTT          `yaml:"mqtt"`
	Base          wire.Base     `yaml:"base"` // first part of every topic
	HomeAssistant HomeAssistant `yaml:"homeassistant"`
	Push          Push          `yaml:"push"`
	Cameras       []Camera      `yaml:"cameras"`
	State         string        `yaml:"state"` // folder of privacy and kept settings; "auto" or "" for none
	Log           Log           `yaml:"log"`
}

// Broker is the embedded broker.
type Broker struct {
	Listen string    `yaml:"listen"` // host:port; "" is no plain port
	TLS    BrokerTLS `yaml:"tls"`
	Unix   string    `yaml:"unix"` // Unix socket for MQTT; "" is none
	Data   string    `yaml:"data"` // folder of retained messages and accounts; "" for none
	// Anonymous is the access without an account: "loopback" is full access from this
	// machine, over HTTP only while there are no accounts; "never" is none; "read"
	// is watching only; "all" is full access. With "read" and "all" every address is
	// one of this machine.
	Anonymous string `yaml:"anonymous"`

	Limits BrokerLimits `yaml:"limits"`
}

// BrokerLimits bounds what clients of the embedded broker may cost, and how often it
// does what wears something out. Sizes are bytes.
type BrokerLimits struct {
	Connections           int           `yaml:"connections"`             // open at once
	ConnectionsPerPort    int           `yaml:"connections_per_port"`    // of those, by one of the broker's own ports
	ConnectionsPerAddress int           `yaml:"connections_per_address"` // of those, from one address; loopback is exempt
	ConnectionsPerAccount int           `yaml:"connections_per_account"` // of those, of one account; of a bridge its cameras + 8
	ConnectTime           time.Duration `yaml:"connect_time"`            // until CONNECT is complete, TLS included
	ConnectBytes          int           `yaml:"connect_bytes"`           // of CONNECT
	PacketBytes           int           `yaml:"packet_bytes"`            // of PUBLISH
	ControlBytes          int           `yaml:"control_bytes"`           // of other packets
	PacketsPerSecond      int           `yaml:"packets_per_second"`      // from one connection
	TopicBytes            int           `yaml:"topic_bytes"`             // of a topic or filter
	TopicLevels           int           `yaml:"topic_levels"`            // of a topic or filter
	Subscriptions         int           `yaml:"subscriptions"`           // of one client
	Keepalive             time.Duration `yaml:"keepalive"`               // longest, for MQTT 5
	Sessions              int           `yaml:"sessions"`                // of absent clients
	SessionExpiry         time.Duration `yaml:"session_expiry"`          // longest
	QueueMessages         int           `yaml:"queue_messages"`          // waiting for one client
	QueueBytes            int           `yaml:"queue_bytes"`             // waiting for one client
	RetainedMessages      int           `yaml:"retained_messages"`       // in all
	RetainedBytes         int           `yaml:"retained_bytes"`          // in all
	RetainedMessageBytes  int           `yaml:"retained_message_bytes"`  // of one that is no picture

	StoreEvery  time.Duration `yaml:"store_every"`  // shortest pause between writes to Data
	StoreSlow   time.Duration `yaml:"store_slow"`   // the same for what one topic causes
	SystemEvery time.Duration `yaml:"system_every"` // between messages under $SYS
}

// BrokerTLS is the broker's encrypted port. Its certificate is that of the files, or
// ACME's, or else of a key that the broker makes itself in Data.
type BrokerTLS struct {
	Listen     string   `yaml:"listen"`      // host:port; "" is no encrypted port
	Names      []string `yaml:"names"`       // hosts in join strings, some with a port; none is this machine
	Cert       string   `yaml:"cert"`        // PEM file, the server's own certificate first
	Key        string   `yaml:"key"`         // PEM file
	ACME       ACME     `yaml:"acme"`        // certificates from an authority
	ClientCA   string   `yaml:"client_ca"`   // PEM file of the CA of client certificates; "" asks for none
	ClientAuth string   `yaml:"client_auth"` // "require" or "optional"
}

// ACME is an authority that gives certificates for domains, which it checks on port 443
// (RFC 8555, RFC 8737). Without domains it is not used.
type ACME struct {
	Domains   []string `yaml:"domains"`
	Email     string   `yaml:"email"`     // for the authority's warnings; "" is none
	Directory string   `yaml:"directory"` // https URL; "" is Let's Encrypt
	CAFile    string   `yaml:"ca_file"`   // PEM file of the CA of Directory; "" is the system's CAs
}

// Dashboard is the web page with its pictures and metrics.
type Dashboard struct {
	Listen string       `yaml:"listen"` // host:port
	TLS    DashboardTLS `yaml:"tls"`
	// Origins are other web sites whose pages may connect to /mqtt, such as
	// "https://home.example"; the dashboard's own pages always may.
	Origins []string `yaml:"origins"`
	// Hosts are names under which browsers may reach the port, beside addresses,
	// the names of this machine and of home networks, those of the certificate, and
	// the hosts of Origins.
	Hosts []string `yaml:"hosts"`
	// TrustedProxies are addresses and networks of proxies whose X-Forwarded headers
	// are believed, and the word "loopback".
	TrustedProxies []string `yaml:"trusted_proxies"`
	// Embed are sites, such as "https://ha.example", that may show the page in frames
	// and pictures in their own pages.
	Embed []string `yaml:"embed"`
	// SessionKeyFile has the key that signs sessions; "" is session.key in the folder
	// of the accounts.
	SessionKeyFile string `yaml:"session_key_file"`
	// Data is the folder of the page's own accounts where the broker is elsewhere;
	// "" is none, and then Listen is a loopback address. With an embedded broker it
	// is always "", and its accounts are the page's.
	Data string `yaml:"data"`
	// Anonymous is "all" where the broker is elsewhere and every client of the port,
	// which is one of this machine, may do everything; otherwise "loopback". With
	// an embedded broker it is always that, and [Broker].Anonymous decides.
	Anonymous string `yaml:"anonymous"`
}

// DashboardTLS makes the dashboard's port speak HTTPS: with the broker's certificate
// when Shared, else with Cert and Key when they are given.
type DashboardTLS struct {
	Shared     bool   `yaml:"shared"`
	Cert       string `yaml:"cert"`        // PEM file, the server's own certificate first
	Key        string `yaml:"key"`         // PEM file
	ClientCA   string `yaml:"client_ca"`   // PEM file of the CA of client certificates; "" asks for none
	ClientAuth string `yaml:"client_auth"` // "require" or "optional"
}

// On reports whether the port speaks HTTPS.
func (d DashboardTLS) On() bool { return d.Shared || d.Cert != "" }

// MQTT says how cameras, the dashboard and commands reach the broker.
type MQTT struct {
	// URL has one address or several of one cluster; empty is the embedded
	// broker. A URL may hold a user and a password, so it is not fit to be shown.
	URL      []string `yaml:"url"`
	Username string   `yaml:"username"` // for URLs without a user
	// Password belongs to Username. It is what was in PasswordFile when that is
	// given, without the line end.
	Password     Secret   `yaml:"password"`
	PasswordFile string   `yaml:"password_file"`
	Pin          []string `yaml:"pin"`         // sha256:... of keys that the broker may have; empty trusts authorities
	CAFile       string   `yaml:"ca_file"`     // PEM file of the only authorities trusted; "" trusts the system's
	Cert         string   `yaml:"cert"`        // PEM file shown to the broker; "" is none
	Key          string   `yaml:"key"`         // PEM file
	CommandQoS   int      `yaml:"command_qos"` // of subscriptions to commands: 0 or 1
	Retain       bool     `yaml:"retain"`      // the broker keeps retained messages
}

// HomeAssistant says how cameras announce themselves to Home Assistant.
type HomeAssistant struct {
	Discovery string `yaml:"discovery"` // "device", "component" or "off"
	Prefix    string `yaml:"prefix"`    // topic prefix that Home Assistant listens to
	URL       string `yaml:"url"`       // of the dashboard, for links; "" was not given
}

// Push is where boards send their pictures to: cameras whose source is push.
type Push struct {
	Listen string  `yaml:"listen"` // host:port for HTTP POST and PUT; "" is none
	TCP    string  `yaml:"tcp"`    // host:port for one JPEG to a connection; "" is none
	TLS    PushTLS `yaml:"tls"`

	MaxBytes              int `yaml:"max_bytes"`               // of a picture
	Connections           int `yaml:"connections"`             // open at once
	ConnectionsPerAddress int `yaml:"connections_per_address"` // of those, from one address
}

// PushTLS makes [Push].Listen speak HTTPS. Both are given or none.
type PushTLS struct {
	Cert string `yaml:"cert"` // PEM file, the server's own certificate first
	Key  string `yaml:"key"`  // PEM file
}

// Camera is one camera of this process. Zero durations mean what they say, none,
// never or no end: code that passes them on to where zero is a default has to
// translate.
type Camera struct {
	ID     wire.ID `yaml:"id"`
	Name   string  `yaml:"name"` // what people read; the id when none was given
	Source string  `yaml:"source"`
	// User and the password in PasswordFile are for a camera that wants them.
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file"`
	password     Secret
	// Size is the greatest that can be asked for; the zero Size leaves it to the
	// source.
	Size    wire.Size `yaml:"size"`
	FPS     float64   `yaml:"fps"`     // most pictures per second
	Quality int       `yaml:"quality"` // 1 to 100; 0 leaves it to the source
	Rotate  string    `yaml:"rotate"`  // "0", "90", "180", "270" clockwise, "hflip" or "vflip"

	Check  string `yaml:"check"`  // "auto", "full" or "markers": how closely pictures are looked at
	Settle Settle `yaml:"settle"` // how long exposure may take to become steady

	StatsEvery    time.Duration `yaml:"stats_every"`     // between heartbeats
	MaxImageBytes int           `yaml:"max_image_bytes"` // larger pictures are never sent

	Labels map[string]string `yaml:"labels"` // texts about the camera, such as its room

	// PushToken and PushFrom restrict which board may send when the source is push: one with the token, from
	// these addresses. PushToken is what was in PushTokenFile when that is given;
	// PushFrom has addresses and networks with blanks between.
	PushToken     Secret `yaml:"push_token"`
	PushTokenFile string `yaml:"push_token_file"`
	PushFrom      string `yaml:"push_from"`

	// Settings are those that are handed over to the node: [wire.SettingRow].Passed.
	Settings map[string]any `yaml:",inline"`
}

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level"`  // "debug", "info", "warn" or "error"
	Format string `yaml:"format"` // "text" or "json"
}

// Exposed returns the first address that other machines can reach; "" when
// there is none.
func (c *Config) Exposed() string {
	var all []string
	if c.Broker != nil {
		all = append(all, c.Broker.Listen, c.Broker.TLS.Listen)
	}
	if c.Dashboard != nil {
		all = append(all, c.Dashboard.Listen)
	}
	for _, addr := range all {
		if addr != "" && !isLoopback(addr) {
			return addr
		}
	}
	return ""
}

// AccountsData returns the folder of the accounts; "" when there can be none.
func (c *Config) AccountsData() string {
	switch {
	case c.Broker != nil:
		return c.Broker.Data
	case c.Dashboard != nil:
		return c.Dashboard.Data
	}
	return ""
}

// Password is what is in PasswordFile.
func (c *Camera) Password() string { return string(c.password) }

// Pushed reports whether the camera's board sends its pictures by itself.
func (c *Camera) Pushed() bool {
	scheme, _, _ := strings.Cut(c.Source, ":")
	return strings.EqualFold(scheme, "push")
}

// Networks are the addresses that pictures may come from; none is all.
func (c *Camera) Networks() []netip.Prefix {
	var all []netip.Prefix
	for _, word := range strings.Fields(c.PushFrom) {
		if p, err := network(word); err == nil { // checked when it was read
			all = append(all, p)
		}
	}
	return all
}
