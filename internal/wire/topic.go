package wire

import (
	"fmt"
	"strings"
)

// Kind is what follows cam/<id>/ in a topic.
type Kind string

// The kinds of camera topics, one row each in topics.md.
const (
	KindStatus   Kind = "status"
	KindInfo     Kind = "info"
	KindState    Kind = "state"
	KindFrame    Kind = "frame"
	KindPreview  Kind = "preview"
	KindSnapshot Kind = "snapshot"
	KindMeta     Kind = "snapshot/meta"
	KindResult   Kind = "result"
	KindEvent    Kind = "event"
	KindMotion   Kind = "motion"
	KindStats    Kind = "stats"
	KindCmd      Kind = "cmd"
	KindSet      Kind = "set"
	KindSetKey   Kind = "set/<key>"
)

// Retain says when messages of a kind carry the retain flag.
type Retain string

// The values of [Retain], as they stand in the table of topics.md.
const (
	Never    Retain = "no"
	Always   Retain = "yes"
	Pictures Retain = "pictures" // unless the camera's retain_pictures is false
)

// Channel is a row of the topic table: how messages of one kind travel.
type Channel struct {
	Kind   Kind
	QoS    byte
	Retain Retain
	// FromCamera tells the rows that cameras publish from those they obey.
	FromCamera bool
}

// Channels returns the topic table of topics.md.
func Channels() []Channel {
	return []Channel{
		{KindStatus, 1, Always, true},
		{KindInfo, 1, Always, true},
		{KindState, 1, Always, true},
		{KindFrame, 0, Never, true},
		{KindPreview, 0, Pictures, true},
		{KindSnapshot, 0, Pictures, true},
		{KindMeta, 1, Pictures, true},
		{KindResult, 1, Never, true},
		{KindEvent, 1, Never, true},
		{KindMotion, 1, Always, true},
		{KindStats, 0, Never, true},
		{KindCmd, 1, Never, false},
		{KindSetKey, 1, Never, false},
		{KindSet, 1, Never, false},
	}
}

// ChannelOf returns the row of one kind; a kind that is not in the table gets
// a row of QoS 0 that is never retained.
func ChannelOf(k Kind) Channel {
	for _, c := range Channels() {
		if c.Kind == k {
			return c
		}
	}
	return Channel{Kind: k, Retain: Never}
}

// The values of the status topic.
const (
	Online   = "online"
	Sleeping = "sleeping"
	Offline  = "offline"
)

// All is what stands in the place of an id in the topic that every camera
// obeys, cam/_all/cmd. It cannot be an id, which begins with a letter or digit.
const All = "_all"

// DefaultBase is the first part of every topic unless configured otherwise.
const DefaultBase = "cam"

// Base is the first part of every topic, "cam" unless configured. It may have
// several levels. Make one with [ParseBase]; the zero value is [DefaultBase].
type Base string

// ParseBase reports whether s can be a topic base; "" is [DefaultBase].
func ParseBase(s string) (Base, error) {
	if s == "" {
		return DefaultBase, nil
	}
	if len(s) > 100 {
		return "", fmt.Errorf("base has %d characters: want at most 100", len(s))
	}
	for level := range strings.SplitSeq(s, "/") {
		if level == "" {
			return "", fmt.Errorf("base %q has an empty level: want words of a-z A-Z 0-9 _ - with single slashes between", s)
		}
		for _, r := range level {
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
				return "", fmt.Errorf("base %q has the character %q: want words of a-z A-Z 0-9 _ - with slashes between", s, r)
			}
		}
	}
	return Base(s), nil
}

func (b Base) prefix() string {
	if b == "" {
		return DefaultBase + "/"
	}
	return string(b) + "/"
}

// Topic returns the topic of one kind of one camera.
func (b Base) Topic(id ID, k Kind) string { return b.prefix() + string(id) + "/" + string(k) }

// Every returns the filter that matches one kind of every camera.
func (b Base) Every(k Kind) string { return b.prefix() + "+/" + string(k) }

// AllCmd returns the command topic that every camera obeys.
func (b Base) AllCmd() string { return b.prefix() + All + "/" + string(KindCmd) }

// Hub returns the topic on which an embedded broker says that it describes the
// cameras to Home Assistant itself. It cannot be a camera's, whose id begins
// with a letter or digit.
func (b Base) Hub() string { return b.prefix() + "_hub/discovery" }

// SetTopic returns the topic of one setting of one camera.
func (b Base) SetTopic(id ID, key string) string { return b.Topic(id, KindSet) + "/" + key }

// Split takes a topic of one camera apart. ok is false for a topic that is not
// below the base, has no valid id, or is of no kind that topics.md knows; the
// kind of cam/<id>/set/fps is "set/fps".
func (b Base) Split(topic string) (id ID, k Kind, ok bool) {
	rest, found := strings.CutPrefix(topic, b.prefix())
	if !found {
		return "", "", false
	}
	name, kind, found := strings.Cut(rest, "/")
	if !found {
		return "", "", false
	}
	id, err := ParseID(name)
	if err != nil {
		return "", "", false
	}
	if key, set := strings.CutPrefix(kind, "set/"); set && key != "" && !strings.Contains(key, "/") {
		return id, Kind(kind), true
	}
	switch k = Kind(kind); k {
	case KindStatus, KindInfo, KindState, KindFrame, KindPreview, KindSnapshot, KindMeta,
		KindResult, KindEvent, KindMotion, KindStats, KindCmd, KindSet:
		return id, k, true
	}
	return "", "", false
}

// IsPicture reports whether messages of a kind are one bare JPEG each.
func (k Kind) IsPicture() bool { return k == KindFrame || k == KindPreview || k == KindSnapshot }
