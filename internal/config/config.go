// Package config turns YAML files, the environment and key=value arguments into
// one checked [Config]. It owns the list of all keys with their defaults, the
// order in which sources overrule each other, and the texts that say what is
// wrong and where. It never starts, opens or changes anything but reading the
// files it is told of, and never writes a secret into an error or its output.
package config

import (
	"time"

	"camqtt/internal/wire"
)

// Config is a whole configuration, checked and with every default filled in.
// Make one with [Load].
type Config struct {
	Broker        *Broker       `key:"broker"`    // nil: no broker in this process
	Dashboard     *Dashboard    `key:"dashboard"` // nil: no dashboard
	MQTT          MQTT          `key:"mqtt"`
	Base          wire.Base     `key:"base"` // first part of every topic
	HomeAssistant HomeAssistant `key:"homeassistant"`
	Push          Push          `key:"push"`
	Cameras       []Camera      `key:"cameras"`
	State         string        `key:"state"` // folder of what cameras remember; "auto" leaves it to the program, "" is none
	Log           Log           `key:"log"`
}

// Broker is the embedded broker.
type Broker struct {
	Listen string    `key:"listen"` // host:port; "" is no plain port
	TLS    BrokerTLS `key:"tls"`
	Unix   string    `key:"unix"` // Unix socket for MQTT; "" is none
	Data   string    `key:"data"` // folder of what is kept and of accounts; "" keeps messages in memory and has no accounts
	// Anonymous says who gets in without an account: "loopback" whoever comes
	// from this machine, over HTTP only while there are no accounts, "never" nobody
	// but the parts of this process, "read" everybody, to watch only, "all"
	// everybody. With the last two every address is one of this machine.
	Anonymous string `key:"anonymous"`

	Limits BrokerLimits `key:"limits"`
}

// BrokerLimits bounds what clients of the embedded broker may cost, and how often it
// does what wears something out. Sizes are bytes.
type BrokerLimits struct {
	Connections           int           `key:"connections"`             // open at once
	ConnectionsPerPort    int           `key:"connections_per_port"`    // of those, by one of the broker's own ports
	ConnectionsPerAddress int           `key:"connections_per_address"` // of those, from one address; loopback is exempt
	ConnectionsPerAccount int           `key:"connections_per_account"` // of those, of one account; a bridge has its cameras and 8 more
	ConnectTime           time.Duration `key:"connect_time"`            // until CONNECT is complete, TLS included
	ConnectBytes          int           `key:"connect_bytes"`           // of CONNECT
	PacketBytes           int           `key:"packet_bytes"`            // of PUBLISH
	ControlBytes          int           `key:"control_bytes"`           // of other packets
	PacketsPerSecond      int           `key:"packets_per_second"`      // from one connection
	TopicBytes            int           `key:"topic_bytes"`             // of a topic or filter
	TopicLevels           int           `key:"topic_levels"`            // of a topic or filter
	Subscriptions         int           `key:"subscriptions"`           // of one client
	Keepalive             time.Duration `key:"keepalive"`               // longest, for MQTT 5
	Sessions              int           `key:"sessions"`                // of absent clients
	SessionExpiry         time.Duration `key:"session_expiry"`          // longest
	QueueMessages         int           `key:"queue_messages"`          // waiting for one client
	QueueBytes            int           `key:"queue_bytes"`             // waiting for one client
	RetainedMessages      int           `key:"retained_messages"`       // in all
	RetainedBytes         int           `key:"retained_bytes"`          // in all
	RetainedMessageBytes  int           `key:"retained_message_bytes"`  // of one that is no picture

	StoreEvery  time.Duration `key:"store_every"`  // shortest pause between writes to Data
	StoreSlow   time.Duration `key:"store_slow"`   // the same for what one topic causes
	SystemEvery time.Duration `key:"system_every"` // between messages under $SYS
}

// BrokerTLS is the broker's encrypted port. Its certificate is that of the files, or
// ACME's, or else of a key that the broker makes itself in Data.
type BrokerTLS struct {
	Listen     string   `key:"listen"`      // host:port; "" is no encrypted port
	Names      []string `key:"names"`       // hosts, some with a port, by which others find it; none is this machine's addresses
	Cert       string   `key:"cert"`        // PEM file, the server's own certificate first
	Key        string   `key:"key"`         // PEM file
	ACME       ACME     `key:"acme"`        // certificates from an authority
	ClientCA   string   `key:"client_ca"`   // PEM file of who vouches for clients; "" asks for no certificate
	ClientAuth string   `key:"client_auth"` // "require" or "optional"
}

// ACME is an authority that gives certificates to whoever answers on port 443 of a
// domain (RFC 8555, RFC 8737). Without domains it is not used.
type ACME struct {
	Domains   []string `key:"domains"`
	Email     string   `key:"email"`     // for the authority's warnings; "" is none
	Directory string   `key:"directory"` // https URL; "" is Let's Encrypt
	CAFile    string   `key:"ca_file"`   // PEM file of who vouches for Directory; "" is the system's authorities
}

// Dashboard is the web page with its pictures and metrics.
type Dashboard struct {
	Listen string       `key:"listen"` // host:port
	TLS    DashboardTLS `key:"tls"`
	// Origins are other web sites whose pages may connect to /mqtt, such as
	// "https://home.example"; the dashboard's own pages always may.
	Origins []string `key:"origins"`
	// Hosts are names under which browsers may reach the port, beside addresses,
	// the names of this machine and of home networks, those of the certificate, and
	// the hosts of Origins.
	Hosts []string `key:"hosts"`
	// TrustedProxies are addresses and networks of proxies whose X-Forwarded headers
	// are believed, and the word "loopback".
	TrustedProxies []string `key:"trusted_proxies"`
	// Embed are sites, such as "https://ha.example", that may show the page in frames
	// and pictures in their own pages.
	Embed []string `key:"embed"`
	// SessionKeyFile has the key that signs sessions; "" is session.key in the folder
	// of the accounts.
	SessionKeyFile string `key:"session_key_file"`
	// Data is the folder of the page's own accounts where the broker is elsewhere;
	// "" is none, and then Listen is a loopback address. With an embedded broker it
	// is always "", and its accounts are the page's.
	Data string `key:"data"`
	// Anonymous is "all" where the broker is elsewhere and whoever reaches the port,
	// which is one of this machine, may do everything; otherwise "loopback". With
	// an embedded broker it is always that, and [Broker].Anonymous decides.
	Anonymous string `key:"anonymous"`
}

// DashboardTLS makes the dashboard's port speak HTTPS: with the broker's certificate
// when Shared, else with Cert and Key when they are given.
type DashboardTLS struct {
	Shared     bool   `key:"shared"`
	Cert       string `key:"cert"`        // PEM file, the server's own certificate first
	Key        string `key:"key"`         // PEM file
	ClientCA   string `key:"client_ca"`   // PEM file of who vouches for clients; "" asks for no certificate
	ClientAuth string `key:"client_auth"` // "require" or "optional"
}

// On reports whether the port speaks HTTPS.
func (d DashboardTLS) On() bool { return d.Shared || d.Cert != "" }

// MQTT says how cameras, the dashboard and commands reach the broker.
type MQTT struct {
	// URL has one address or several of one cluster; empty is the embedded
	// broker. A URL may hold a user and a password, so it is not fit to be shown.
	URL      []string `key:"url"`
	Username string   `key:"username"` // for URLs without a user
	// Password belongs to Username. It is what was in PasswordFile when that is
	// given, without the line end.
	Password     Secret   `key:"password"`
	PasswordFile string   `key:"password_file"`
	Pin          []string `key:"pin"`         // sha256:... of keys that the broker may have; empty trusts authorities
	CAFile       string   `key:"ca_file"`     // PEM file of the only authorities trusted; "" trusts the system's
	Cert         string   `key:"cert"`        // PEM file shown to the broker; "" is none
	Key          string   `key:"key"`         // PEM file
	CommandQoS   int      `key:"command_qos"` // of subscriptions to commands: 0 or 1
	Retain       bool     `key:"retain"`      // the broker keeps retained messages
}

// HomeAssistant says how cameras announce themselves to Home Assistant.
type HomeAssistant struct {
	Discovery string `key:"discovery"` // "device", "component" or "off"
	Prefix    string `key:"prefix"`    // topic prefix that Home Assistant listens to
	URL       string `key:"url"`       // of the dashboard, for links; "" was not given
}

// Push is where boards send their pictures to: cameras whose source is push.
type Push struct {
	Listen string  `key:"listen"` // host:port for HTTP POST and PUT; "" is none
	TCP    string  `key:"tcp"`    // host:port for one JPEG to a connection; "" is none
	TLS    PushTLS `key:"tls"`

	MaxBytes              int `key:"max_bytes"`               // of a picture
	Connections           int `key:"connections"`             // open at once
	ConnectionsPerAddress int `key:"connections_per_address"` // of those, from one address
}

// PushTLS makes [Push].Listen speak HTTPS. Both are given or none.
type PushTLS struct {
	Cert string `key:"cert"` // PEM file, the server's own certificate first
	Key  string `key:"key"`  // PEM file
}

// Camera is one camera of this process. Zero durations mean what they say, none,
// never or no end: whoever passes them on to where zero is a default has to
// translate.
type Camera struct {
	ID     wire.ID `key:"id"`
	Name   string  `key:"name"` // what people read; the id when none was given
	Source string  `key:"source"`
	// Size is the greatest that can be asked for; the zero Size leaves it to the
	// source.
	Size    wire.Size `key:"size"`
	FPS     float64   `key:"fps"`     // most pictures per second
	Quality int       `key:"quality"` // 1 to 100; 0 leaves it to the source
	Rotate  string    `key:"rotate"`  // "0", "90", "180", "270" clockwise, "hflip" or "vflip"

	Check  string `key:"check"`  // "auto", "full" or "markers": how closely pictures are looked at
	Settle Settle `key:"settle"` // how long exposure may take to become steady

	SnapEvery    time.Duration `key:"snap_every"`    // between scheduled snapshots; 0 is never
	KeepWarm     time.Duration `key:"keep_warm"`     // open after the last viewer; 0 is not at all
	MaxStream    time.Duration `key:"max_stream"`    // longest stream without renewal; 0 is no end
	PreviewEvery time.Duration `key:"preview_every"` // between previews of a live stream
	StatsEvery   time.Duration `key:"stats_every"`   // between heartbeats

	MaxImageBytes  int  `key:"max_image_bytes"` // larger pictures are never sent
	RetainPictures bool `key:"retain_pictures"` // previews and snapshots stay at the broker

	// Who may send pictures, when the source is push: whoever knows the token, from
	// these addresses. PushToken is what was in PushTokenFile when that is given;
	// PushFrom has addresses and networks with blanks between.
	PushToken     Secret `key:"push_token"`
	PushTokenFile string `key:"push_token_file"`
	PushFrom      string `key:"push_from"`
}

// Log says what is logged and how.
type Log struct {
	Level  string `key:"level"`  // "debug", "info", "warn" or "error"
	Format string `key:"format"` // "text" or "json"
}
