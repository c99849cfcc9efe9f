package config

import (
	"slices"
	"strings"

	"camqtt/internal/wire"
)

// cameraPrefix stands before the keys of one camera in [Key].Name.
const cameraPrefix = "cameras.<id>."

// Key is one thing that can be configured.
type Key struct {
	// Name is the dotted key, such as "broker.listen". The keys of a camera have
	// its id in them, "cameras.<id>.fps".
	Name string
	// Default is the value when none is given, as it is written in YAML; "" where
	// one must be given.
	Default string
	// Meaning says in one line what the key is for and what it takes.
	Meaning string

	list    bool                      // takes one value or several
	several bool                      // in the place of a list there may be commas too
	parse   func(string) (any, error) // of one value; its errors hold no secret
}

// Env is the environment variable of the key, such as CAMQTT_BROKER_LISTEN. In
// that of a camera the id is in capitals, with "_" for "-"; its place in the
// list, counted from 0, does as well. An id has none.
func (k Key) Env() string {
	if k.Name == cameraPrefix+"id" {
		return ""
	}
	return envName(k.Name)
}

// envPrefix begins the names of environment variables.
const envPrefix = "CAMQTT_"

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// Keys returns every key, in the order of configs/full.yaml.
func Keys() []Key {
	return slices.Concat(brokerKeys(), limitKeys(), dashboardKeys(), mqttKeys(), pushKeys(), cameraKeys(), ownKeys())
}

func brokerKeys() []Key {
	return []Key{
		{Name: "broker.listen", Default: "127.0.0.1:1883", Meaning: `host:port of plain MQTT; "" for none`, parse: optional(listen)},
		{Name: "broker.tls.listen", Default: `""`, Meaning: `host:port of MQTT over TLS; "" for none`, parse: optional(listen)},
		{Name: "broker.tls.names", Default: "[]", Meaning: "where cameras' machines find the TLS port, such as hub.example or 192.0.2.1:8883: what join strings say; [] is the names of acme, else this machine's addresses", list: true, parse: whereabouts},
		{Name: "broker.tls.cert", Default: `""`, Meaning: "PEM file with the broker's certificate; none makes a key of its own, which nodes pin", parse: text},
		{Name: "broker.tls.key", Default: `""`, Meaning: "PEM file with the certificate's private key", parse: text},
		{Name: "broker.tls.acme.domains", Default: "[]", Meaning: "names to get certificates for; port 443 of each must lead to a TLS port of this program", list: true, parse: domain},
		{Name: "broker.tls.acme.email", Default: `""`, Meaning: "where the authority sends warnings", parse: optional(email)},
		{Name: "broker.tls.acme.directory", Default: `""`, Meaning: "https URL of another authority, such as step-ca; none is Let's Encrypt", parse: optional(httpsURL)},
		{Name: "broker.tls.acme.ca_file", Default: `""`, Meaning: "PEM file with who vouches for that URL; none trusts the system's authorities", parse: text},
		{Name: "broker.tls.client_ca", Default: `""`, Meaning: "PEM file with who vouches for clients' certificates; none asks for no certificate", parse: text},
		{Name: "broker.tls.client_auth", Default: "require", Meaning: "with client_ca: require a certificate, or optional", parse: oneOf("require", "optional")},
		{Name: "broker.unix", Default: `""`, Meaning: `Unix socket for MQTT, such as /run/camqtt.sock, with mode 0660; "" for none`, parse: text},
		{Name: "broker.data", Default: "./data", Meaning: `folder for retained messages, accounts and which cameras of this program are private; "" keeps messages in memory, has no accounts and forgets privacy`, parse: text},
		{Name: "broker.anonymous", Default: "loopback", Meaning: "who gets in without an account: loopback (this machine; over HTTP only while there are no accounts), never (only this process), read (anyone may watch), all (anyone may do everything); the last two only where nobody else can reach it", parse: oneOf("loopback", "never", "read", "all")},
	}
}

// limitKeys bound what clients of the embedded broker may cost.
func limitKeys() []Key {
	const most = 1 << 20 // of anything that is counted
	return []Key{
		{Name: "broker.limits.connections", Default: "2000", Meaning: "connections open at once; a tenth of them is for cameras only", parse: whole(1, most)},
		{Name: "broker.limits.connections_per_port", Default: "2000", Meaning: "of those, by one of the broker's own ports", parse: whole(1, most)},
		{Name: "broker.limits.connections_per_address", Default: "128", Meaning: "of those, from one IPv4 address or IPv6 /64; this machine is exempt", parse: whole(1, most)},
		{Name: "broker.limits.connections_per_account", Default: "64", Meaning: "of those, of one account; of a bridge its cameras and 8; admins, and this machine without an account, are exempt", parse: whole(1, most)},
		{Name: "broker.limits.connect_time", Default: "10s", Meaning: "from accepting a connection to its complete CONNECT, TLS handshake included", parse: span},
		{Name: "broker.limits.connect_bytes", Default: "65536", Meaning: "largest CONNECT, will included", parse: whole(64, mostBytes)},
		{Name: "broker.limits.packet_bytes", Default: "2097152", Meaning: "largest PUBLISH; MQTT 5 clients are told", parse: whole(4096, mostBytes)},
		{Name: "broker.limits.control_bytes", Default: "262144", Meaning: "largest packet of any other kind", parse: whole(64, mostBytes)},
		{Name: "broker.limits.packets_per_second", Default: "5000", Meaning: "packets taken from one connection, of all of one account four times that; who sends more is read more slowly", parse: whole(100, most)},
		{Name: "broker.limits.topic_bytes", Default: "512", Meaning: "longest topic or filter", parse: whole(64, 65535)},
		{Name: "broker.limits.topic_levels", Default: "16", Meaning: "most levels of a topic or filter", parse: whole(4, 128)},
		{Name: "broker.limits.subscriptions", Default: "4096", Meaning: "filters one client may subscribe to; all of one account's together four times that", parse: whole(1, most)},
		{Name: "broker.limits.keepalive", Default: "1h", Meaning: "longest silence of an MQTT 5 client; one that wants longer is told this", parse: keepalive},
		{Name: "broker.limits.sessions", Default: "1000", Meaning: "sessions kept for absent clients, of one account a quarter; the longest absent goes first, of the account that has most", parse: whole(1, most)},
		{Name: "broker.limits.session_expiry", Default: "1h", Meaning: "how long a session is kept at most", parse: span},
		{Name: "broker.limits.queue_messages", Default: "1000", Meaning: "QoS 1 and 2 messages that wait for one client", parse: whole(1, most)},
		{Name: "broker.limits.queue_bytes", Default: "8388608", Meaning: "their size; of all of one account's clients together four times that", parse: whole(4096, mostBytes)},
		{Name: "broker.limits.retained_messages", Default: "20000", Meaning: "retained messages, pictures included", parse: whole(1, most)},
		{Name: "broker.limits.retained_bytes", Default: "134217728", Meaning: "their size; by default a fifth of the memory at most", parse: whole(4096, 1<<30)},
		{Name: "broker.limits.retained_message_bytes", Default: "262144", Meaning: "largest retained message that is no picture", parse: whole(64, mostBytes)},
		{Name: "broker.limits.store_every", Default: "2s", Meaning: "shortest pause between writes of retained messages, and what a crash can lose", parse: span},
		{Name: "broker.limits.store_slow", Default: "1m", Meaning: "the same for a topic that changes often; longer spares an SD card", parse: span},
		{Name: "broker.limits.system_every", Default: "10s", Meaning: "pause between messages under $SYS", parse: span},
	}
}

func dashboardKeys() []Key {
	return []Key{
		{Name: "dashboard.listen", Default: "127.0.0.1:8080", Meaning: "host:port of page, /mqtt WebSocket, pictures and metrics", parse: listen},
		{Name: "dashboard.tls.shared", Default: "false", Meaning: "https with the broker's certificate: its files, ACME's or its own key", parse: yesNo},
		{Name: "dashboard.tls.cert", Default: `""`, Meaning: "PEM file with another certificate for https; neither is plain http", parse: text},
		{Name: "dashboard.tls.key", Default: `""`, Meaning: "PEM file with the certificate's private key", parse: text},
		{Name: "dashboard.tls.client_ca", Default: `""`, Meaning: "PEM file with who vouches for clients' certificates; none asks for no certificate", parse: text},
		{Name: "dashboard.tls.client_auth", Default: "require", Meaning: "with client_ca: require a certificate, or optional", parse: oneOf("require", "optional")},
		{Name: "dashboard.origins", Default: "[]", Meaning: "other web sites whose pages may connect to /mqtt, such as https://home.example", list: true, parse: webOrigin},
		{Name: "dashboard.hosts", Default: "[]", Meaning: "further names by which browsers reach the page, such as cams.example; addresses, this machine's name, its certificate's names, .local, .lan, .home.arpa, .internal and names without a dot need none", list: true, parse: hostName},
		{Name: "dashboard.trusted_proxies", Default: "[loopback]", Meaning: "reverse proxies whose X-Forwarded-For, -Host and -Proto are believed: addresses, networks such as 172.16.0.0/12, or loopback", list: true, parse: proxy},
		{Name: "dashboard.embed", Default: "[]", Meaning: "sites that may show the page in frames and pictures in their own pages, such as https://ha.example", list: true, parse: webOrigin},
		{Name: "dashboard.session_key_file", Default: `""`, Meaning: `file with the key that signs the sessions of browsers, made when it is missing; "" is session.key in the folder of the accounts`, parse: text},
		{Name: "dashboard.data", Default: `""`, Meaning: `with a broker elsewhere, the folder of the page's own accounts; "" has none; else they are those of broker.data`, parse: text},
		{Name: "dashboard.anonymous", Default: "loopback", Meaning: "with a broker elsewhere, who gets in without an account: loopback (this machine, while there are no accounts) or all (anyone whom a proxy on this machine brings); else broker.anonymous decides", parse: oneOf("loopback", "all")},
	}
}

func mqttKeys() []Key {
	return []Key{
		{Name: "mqtt.url", Default: "[]", Meaning: "the broker, mqtt mqtts ws or wss://host:port, or a list for one cluster; [] is the embedded one", list: true, several: true, parse: brokerURL},
		{Name: "mqtt.username", Default: `""`, Meaning: "user at the broker, unless the URL has one", parse: text},
		{Name: "mqtt.password", Default: `""`, Meaning: "that user's password; password_file is the better place", parse: password},
		{Name: "mqtt.password_file", Default: `""`, Meaning: "file with the password as its only line, which nobody else may read; credential:NAME is systemd's", parse: text},
		{Name: "mqtt.pin", Default: "[]", Meaning: "key of the broker as camqtt key prints it, sha256:..., or a list; trusts that and nothing else", list: true, parse: pin},
		{Name: "mqtt.ca_file", Default: `""`, Meaning: "PEM file with the only authorities to trust; none trusts the system's", parse: text},
		{Name: "mqtt.cert", Default: `""`, Meaning: "PEM file with a certificate to show to the broker", parse: text},
		{Name: "mqtt.key", Default: `""`, Meaning: "PEM file with that certificate's private key", parse: text},
		{Name: "mqtt.command_qos", Default: "1", Meaning: "QoS of subscriptions to commands: 1, or 0 on brokers where 1 is dear (NATS)", parse: commandQoS},
		{Name: "mqtt.retain", Default: "true", Meaning: "the broker keeps retained messages; false for one that refuses them, where MQTT 5 does not tell", parse: yesNo},
		{Name: "base", Default: wire.DefaultBase, Meaning: "first part of every topic; may have several levels", parse: base},
		{Name: "homeassistant.discovery", Default: "device", Meaning: "announcement to Home Assistant: device (2024.11 and later), component (older) or off", parse: oneOf("device", "component", "off")},
		{Name: "homeassistant.prefix", Default: "homeassistant", Meaning: "topic prefix that Home Assistant listens to", parse: topicPrefix},
		{Name: "homeassistant.url", Default: `""`, Meaning: `address of the dashboard for links in Home Assistant, such as https://cams.example; "" takes it from dashboard.listen`, parse: optional(pageURL)},
	}
}

// pushKeys are about the ports that boards send pictures to.
func pushKeys() []Key {
	return []Key{
		{Name: "push.listen", Default: `""`, Meaning: `host:port for boards that POST or PUT a JPEG, the host that of this machine in the cameras' network; "" for none`, parse: optional(listen)},
		{Name: "push.tcp", Default: `""`, Meaning: `host:port for boards that send one JPEG to a connection, often port 3008; "" for none`, parse: optional(listen)},
		{Name: "push.tls.cert", Default: `""`, Meaning: "PEM file with the certificate for https; none is plain http", parse: text},
		{Name: "push.tls.key", Default: `""`, Meaning: "PEM file with the certificate's private key", parse: text},
		{Name: "push.max_bytes", Default: "1048576", Meaning: "largest picture taken in", parse: imageBytes},
		{Name: "push.connections", Default: "64", Meaning: "pictures that may come in at once, up to 8 of one camera", parse: whole(1, 4096)},
		{Name: "push.connections_per_address", Default: "64", Meaning: "connections of one IPv4 address or IPv6 /64 that have not said yet which camera they are; the oldest gives way", parse: whole(1, 4096)},
	}
}

func cameraKeys() []Key {
	return []Key{
		{Name: "cameras.<id>.id", Meaning: "name in topics and files: 1 to 32 of a-z 0-9 _ -, the first a letter or digit", parse: cameraID},
		{Name: "cameras.<id>.name", Default: `""`, Meaning: "what people read; none is the id", parse: optional(displayName)},
		{Name: "cameras.<id>.source", Meaning: "where pictures come from: " + strings.Join(SourceForms(), ", "), parse: source},
		{Name: "cameras.<id>.size", Default: `""`, Meaning: `greatest size, WIDTHxHEIGHT; "" leaves it to the camera`, parse: size},
		{Name: "cameras.<id>.fps", Default: "10", Meaning: "most pictures per second, 0.001 to 120", parse: fps},
		{Name: "cameras.<id>.quality", Default: "0", Meaning: "JPEG quality, 1 to 100; 0 leaves it to the camera", parse: quality},
		{Name: "cameras.<id>.rotate", Default: "0", Meaning: "0, 90, 180 or 270 degrees clockwise, hflip or vflip", parse: oneOf("0", "90", "180", "270", "hflip", "vflip")},
		{Name: "cameras.<id>.check", Default: "auto", Meaning: "how closely pictures are looked at before they are sent: full (all of their data), markers (whether they are complete), or auto: full for push, ESP32 boards, and single pictures over http, else markers", parse: oneOf("auto", "full", "markers")},
		{Name: "cameras.<id>.settle", Default: "auto", Meaning: "how long the first pictures may be left out until their brightness is steady, up to 10s; 0 is not at all, auto is 1.5s for v4l2 and rpicam; settle= in the source goes before it", parse: settle},
		{Name: "cameras.<id>.snap_every", Default: "0", Meaning: "time between scheduled snapshots; 0 is never", parse: spanOrZero},
		{Name: "cameras.<id>.keep_warm", Default: "10s", Meaning: "how long the camera stays open after the last viewer; 0 is not at all", parse: anySpan},
		{Name: "cameras.<id>.max_stream", Default: "10m", Meaning: "longest live stream that nobody renews; 0 is no end", parse: spanOrZero},
		{Name: "cameras.<id>.preview_every", Default: "1s", Meaning: "time between previews of a live stream", parse: span},
		{Name: "cameras.<id>.stats_every", Default: "30s", Meaning: "time between heartbeats", parse: span},
		{Name: "cameras.<id>.max_image_bytes", Default: "900000", Meaning: "larger pictures are never sent; keep it below the broker's limit", parse: imageBytes},
		{Name: "cameras.<id>.retain_pictures", Default: "true", Meaning: "the broker keeps the last preview and snapshot", parse: yesNo},
		{Name: "cameras.<id>.push_token", Default: `""`, Meaning: "source push: what the board must know, 8 to 128 of A-Z a-z 0-9 . _ ~ -; push_token_file is the better place", parse: optional(token)},
		{Name: "cameras.<id>.push_token_file", Default: `""`, Meaning: "source push: file with the token as its only line", parse: text},
		{Name: "cameras.<id>.push_from", Default: `""`, Meaning: `source push: where the board is, such as 192.168.1.31 or 192.168.1.0/24; "" is anywhere`, parse: optional(networks)},
	}
}

// ownKeys are about the program itself.
func ownKeys() []Key {
	return []Key{
		{Name: "state", Default: "auto", Meaning: `folder that keeps which cameras are private through restarts; auto is broker.data where the broker is ours, else $STATE_DIRECTORY, else a folder per broker in camqtt in the user's configuration folder; "" keeps nothing`, parse: text},
		{Name: "log.level", Default: "info", Meaning: "least important lines that are written: debug, info, warn or error", parse: oneOf("debug", "info", "warn", "error")},
		{Name: "log.format", Default: "text", Meaning: "text or json", parse: oneOf("text", "json")},
	}
}

// shape says what may stand where: every key by name, and the sections they are
// in with the names of their members in order.
type shape struct {
	keys     map[string]Key
	sections map[string][]string
}

// camerasKey is the list of cameras, "cameras.<id>" one member of it.
const camerasKey = "cameras"

func newShape() shape {
	s := shape{keys: map[string]Key{}, sections: map[string][]string{}}
	for _, k := range Keys() {
		s.keys[k.Name] = k
		for name := k.Name; name != ""; {
			up, member := cutLast(name)
			if !slices.Contains(s.sections[up], member) {
				s.sections[up] = append(s.sections[up], member)
			}
			name = up
		}
	}
	return s
}

// isSection reports whether members stand below name.
func (s shape) isSection(name string) bool { return name != camerasKey && len(s.sections[name]) > 0 }

// cutLast splits a.b.c into a.b and c.
func cutLast(name string) (up, member string) {
	i := strings.LastIndexByte(name, '.')
	return name[:max(i, 0)], name[i+1:]
}

func join(up, member string) string {
	if up == "" {
		return member
	}
	return up + "." + member
}
