package config

import (
	"slices"
	"strings"

	"camqtt/internal/brokerurl"
	"camqtt/internal/wire"
)

const (
	// camerasKey is the list of cameras, cameraSection one camera in [Key].Name.
	camerasKey    = "cameras"
	cameraSection = camerasKey + ".<id>"
	cameraPrefix  = cameraSection + "."

	// envPrefix begins the names of environment variables.
	envPrefix = "CAMQTT_"
)

// Key is one row of the table of keys. The comment above the key in configs/full.yaml
// says what it means.
type Key struct {
	// Name is the dotted key, such as "broker.listen". The name of a camera's key has
	// a placeholder for the id: "cameras.<id>.fps".
	Name string
	// Default is the value of a key that is not given, as written in YAML; "" where
	// the key is required.
	Default string

	parse func(string) (any, error) // of one value; its errors hold no secret
	kind  kind
}

// kind is the form of a key's value.
type kind int

const (
	single    kind = iota // one value
	listOf                // a list, or words with blanks between
	urlList               // a list, or words with blanks or commas between
	filePath              // one value, the path of a file or socket
	writePath             // one value, the path of a folder that the program writes to
	textMap               // a map of texts
)

func (k Key) isList() bool { return k.kind == listOf || k.kind == urlList }

func (k Key) isPath() bool { return k.kind == filePath || k.kind == writePath }

// words splits a text that stands where a list can stand.
func (k Key) words(text string) []string {
	if k.kind == urlList {
		return brokerurl.Words(text)
	}
	return strings.Fields(text)
}

// Env is the environment variable of the key, such as CAMQTT_BROKER_LISTEN. The
// variable of a camera's key has the camera's id in capitals, with "_" for "-", or its
// place in the list, counted from 0. The id of a camera has no variable.
func (k Key) Env() string {
	if k.Name == cameraPrefix+"id" {
		return ""
	}
	return envName(k.Name)
}

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

func one[T any](name, def string, parse func(string) (T, error)) Key {
	return Key{name, def, func(s string) (any, error) { return parse(s) }, single}
}

// optional is a key that can be "", which is its default.
func optional[T any](name string, parse func(string) (T, error)) Key {
	return one(name, `""`, orNone(parse))
}

func orNone[T any](parse func(string) (T, error)) func(string) (T, error) {
	return func(s string) (v T, err error) {
		if s == "" {
			return v, nil
		}
		return parse(s)
	}
}

func list(name, def string, parse func(string) (string, error)) Key {
	k := one(name, def, parse)
	k.kind = listOf
	return k
}

func urls(name string, parse func(string) (string, error)) Key {
	k := list(name, "[]", parse)
	k.kind = urlList
	return k
}

func file(name string) Key {
	k := one(name, `""`, text)
	k.kind = filePath
	return k
}

func folder(name, def string) Key {
	k := one(name, def, text)
	k.kind = writePath
	return k
}

// texts is a map; parse takes a value of it.
func texts(name string, parse func(string) (string, error)) Key {
	k := one(name, "{}", parse)
	k.kind = textMap
	return k
}

// value is the default as a typed value.
func (k Key) value() (any, error) {
	switch {
	case k.kind == textMap:
		return map[string]string{}, nil
	case k.isList():
		return strings.Fields(strings.Trim(k.Default, "[]")), nil
	case k.Default == "": // required: never used
		return "", nil
	case k.Default == `""`:
		return k.parse("")
	}
	return k.parse(k.Default)
}

// Keys returns every key, in the order of configs/full.yaml.
func Keys() []Key {
	return slices.Concat(brokerKeys(), limitKeys(), dashboardKeys(), mqttKeys(), pushKeys(), cameraKeys(), ownKeys())
}

func brokerKeys() []Key {
	return []Key{
		one("broker.listen", "127.0.0.1:1883", orNone(listen)),
		optional("broker.tls.listen", listen),
		list("broker.tls.names", "[]", dialHost),
		file("broker.tls.cert"),
		file("broker.tls.key"),
		list("broker.tls.acme.domains", "[]", domain),
		optional("broker.tls.acme.email", email),
		optional("broker.tls.acme.directory", httpsURL),
		file("broker.tls.acme.ca_file"),
		file("broker.tls.client_ca"),
		one("broker.tls.client_auth", "require", oneOf("require", "optional")),
		file("broker.unix"),
		folder("broker.data", "./data"),
		one("broker.anonymous", "loopback", oneOf("loopback", "never", "read", "all")),
	}
}

// limitKeys bound what clients of the embedded broker may cost.
func limitKeys() []Key {
	const most = 1 << 20 // of anything that is counted
	return []Key{
		one("broker.limits.connections", "2000", whole(1, most)),
		one("broker.limits.connections_per_port", "2000", whole(1, most)),
		one("broker.limits.connections_per_address", "128", whole(1, most)),
		one("broker.limits.connections_per_account", "64", whole(1, most)),
		one("broker.limits.connect_time", "10s", period),
		one("broker.limits.connect_bytes", "65536", whole(64, mostBytes)),
		one("broker.limits.packet_bytes", "2097152", whole(4096, mostBytes)),
		one("broker.limits.control_bytes", "262144", whole(64, mostBytes)),
		one("broker.limits.packets_per_second", "5000", whole(100, most)),
		one("broker.limits.topic_bytes", "512", whole(64, 65535)),
		one("broker.limits.topic_levels", "16", whole(4, 128)),
		one("broker.limits.subscriptions", "4096", whole(1, most)),
		one("broker.limits.keepalive", "1h", keepalive),
		one("broker.limits.sessions", "1000", whole(1, most)),
		one("broker.limits.session_expiry", "1h", period),
		one("broker.limits.queue_messages", "1000", whole(1, most)),
		one("broker.limits.queue_bytes", "8388608", whole(4096, mostBytes)),
		one("broker.limits.retained_messages", "20000", whole(1, most)),
		one("broker.limits.retained_bytes", "134217728", whole(4096, 1<<30)),
		one("broker.limits.retained_message_bytes", "262144", whole(64, mostBytes)),
		one("broker.limits.store_every", "2s", period),
		one("broker.limits.store_slow", "1m", period),
		one("broker.limits.system_every", "10s", period),
	}
}

func dashboardKeys() []Key {
	return []Key{
		one("dashboard.listen", "127.0.0.1:8080", listen),
		one("dashboard.tls.shared", "false", yesNo),
		file("dashboard.tls.cert"),
		file("dashboard.tls.key"),
		file("dashboard.tls.client_ca"),
		one("dashboard.tls.client_auth", "require", oneOf("require", "optional")),
		list("dashboard.origins", "[]", webOrigin),
		list("dashboard.hosts", "[]", hostName),
		list("dashboard.trusted_proxies", "[loopback]", proxy),
		list("dashboard.embed", "[]", webOrigin),
		file("dashboard.session_key_file"),
		folder("dashboard.data", `""`),
		one("dashboard.anonymous", "loopback", oneOf("loopback", "all")),
	}
}

func mqttKeys() []Key {
	return []Key{
		urls("mqtt.url", brokerURL),
		one("mqtt.username", `""`, text),
		one("mqtt.password", `""`, password),
		file("mqtt.password_file"),
		list("mqtt.pin", "[]", pin),
		file("mqtt.ca_file"),
		file("mqtt.cert"),
		file("mqtt.key"),
		one("mqtt.command_qos", "1", commandQoS),
		one("mqtt.retain", "true", yesNo),
		one("base", wire.DefaultBase, wire.ParseBase),
		one("homeassistant.discovery", "device", oneOf("device", "component", "off")),
		one("homeassistant.prefix", "homeassistant", topicPrefix),
		optional("homeassistant.url", pageURL),
	}
}

// pushKeys are about the ports that boards send pictures to.
func pushKeys() []Key {
	return []Key{
		optional("push.listen", listen),
		optional("push.tcp", listen),
		file("push.tls.cert"),
		file("push.tls.key"),
		one("push.max_bytes", "1048576", imageBytes),
		one("push.connections", "64", whole(1, 4096)),
		one("push.connections_per_address", "64", whole(1, 4096)),
	}
}

func cameraKeys() []Key {
	return slices.Concat([]Key{
		one("cameras.<id>.id", "", wire.ParseID),
		optional("cameras.<id>.name", wire.ParseName),
		one("cameras.<id>.source", "", source),
		optional("cameras.<id>.user", text),
		file("cameras.<id>.password_file"),
		optional("cameras.<id>.size", wire.ParseSize),
		one("cameras.<id>.fps", "10", wire.ParseFPS),
		one("cameras.<id>.quality", "0", quality),
		one("cameras.<id>.rotate", "0", oneOf("0", "90", "180", "270", "hflip", "vflip")),
		one("cameras.<id>.check", "auto", oneOf("auto", "full", "markers")),
		one("cameras.<id>.settle", "auto", settle),
	}, settingKeys(), []Key{
		one("cameras.<id>.stats_every", "30s", period),
		one("cameras.<id>.max_image_bytes", "900000", imageBytes),
		texts("cameras.<id>.labels", labelValue),
		optional("cameras.<id>.push_token", token),
		file("cameras.<id>.push_token_file"),
		optional("cameras.<id>.push_from", networks),
	})
}

// settingKeys are the settings that are handed over to a camera's node without more being
// known of them.
func settingKeys() (keys []Key) {
	for _, row := range wire.SettingRows() {
		if name := cameraPrefix + string(row.Setting); row.Passed {
			keys = append(keys, settingKey(name, row))
		}
	}
	return keys
}

func settingKey(name string, row wire.SettingRow) Key {
	switch {
	case row.Type == wire.Switch:
		return one(name, row.Default, yesNo)
	case row.Type == wire.Duration && row.Never:
		return one(name, row.Default, periodOrNone)
	case row.Type == wire.Duration && row.Least == 0:
		return one(name, row.Default, duration)
	case row.Type == wire.Duration:
		return one(name, row.Default, period)
	}
	return one(name, row.Default, func(s string) (string, error) {
		_, err := wire.ParseChange(string(row.Setting), s)
		return s, err
	})
}

// ownKeys are about the program itself.
func ownKeys() []Key {
	return []Key{
		folder("state", "auto"),
		one("log.level", "info", oneOf("debug", "info", "warn", "error")),
		one("log.format", "text", oneOf("text", "json")),
	}
}

// table is the keys by name.
type table struct {
	keys     map[string]Key
	sections map[string][]string // the members of each section, in the order of configs/full.yaml
}

func newTable() table {
	t := table{keys: map[string]Key{}, sections: map[string][]string{}}
	for _, k := range Keys() {
		t.keys[k.Name] = k
		for name := k.Name; name != ""; {
			section, member := cutLast(name)
			if !slices.Contains(t.sections[section], member) {
				t.sections[section] = append(t.sections[section], member)
			}
			name = section
		}
	}
	return t
}

// isSection reports whether a name has keys below it.
func (t table) isSection(name string) bool { return name != camerasKey && len(t.sections[name]) > 0 }

// unknown says which key may have been meant by one that does not exist. shown is its
// section as a person has written it.
func (t table) unknown(section, member, shown string) string {
	members := t.sections[section]
	if near := closest(member, members); near != "" {
		return "unknown key (did you mean " + join(shown, near) + "?)"
	}
	for _, k := range Keys() { // the right word in the wrong section
		if _, other := cutLast(k.Name); other == strings.ReplaceAll(strings.ToLower(member), "-", "_") {
			return "unknown key (did you mean " + k.Name + "?)"
		}
	}
	return "unknown key: want one of " + strings.Join(members, ", ")
}

// cutLast splits a.b.c into a.b and c.
func cutLast(name string) (section, member string) {
	i := strings.LastIndexByte(name, '.')
	return name[:max(i, 0)], name[i+1:]
}

func join(section, member string) string {
	if section == "" {
		return member
	}
	return section + "." + member
}
