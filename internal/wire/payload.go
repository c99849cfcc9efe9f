package wire

import (
	"encoding/json"
	"fmt"
	"time"
)

// Schema is the version of the JSON below; readers ignore keys they do not
// know, so it grows only when a key changes its meaning.
const Schema = 1

// Info is what a camera is, on cam/<id>/info.
type Info struct {
	Schema   int      `json:"schema"`
	ID       ID       `json:"id"`
	Name     string   `json:"name"`
	Model    string   `json:"model,omitempty"`
	Source   string   `json:"source"`            // the kind of source only: an address may hold secrets
	Sizes    []string `json:"sizes,omitempty"`   // sizes it can be asked for, "640x480"
	MaxFPS   float64  `json:"max_fps,omitempty"` // most pictures per second it will send
	Caps     []string `json:"caps"`              // what of size, fps, quality, flash it obeys; CapStill
	Version  string   `json:"version"`           // of the node's program
	Host     string   `json:"host"`              // where the node runs
	Instance string   `json:"instance"`          // differs for every start of a node
	Started  Time     `json:"started"`           // when the node started

	TopFPS     float64  `json:"top_fps,omitempty"`     // most pictures per second of the camera itself, where known
	StatsEvery float64  `json:"stats_every,omitempty"` // seconds between heartbeats
	Sensors    []string `json:"sensors,omitempty"`     // which of temperature and signal its stats have
	Bridge     ID       `json:"bridge,omitempty"`      // the machine that fetches its pictures from elsewhere
	Standby    bool     `json:"standby,omitempty"`     // the node does not serve: another of its id does
	// SnapTimeout is how long a request for a picture may take, in seconds, where that is
	// more than UsualSnapTime.
	SnapTimeout float64 `json:"snap_timeout,omitempty"`

	Make     string            `json:"make,omitempty"`     // maker of the camera, where known
	Serial   string            `json:"serial,omitempty"`   // of the camera, where it tells
	Hardware string            `json:"hardware,omitempty"` // the machine that the camera is part of, where known
	Labels   map[string]string `json:"labels,omitempty"`   // as configured, such as room
}

// UsualSnapTime is how long a request for a picture takes at most, unless info says
// otherwise.
const UsualSnapTime = 30 * time.Second

// What may be in [Info].Sensors.
const (
	SensorTemperature = "temperature"
	SensorSignal      = "signal"
)

// CapStill in [Info].Caps says that the camera knows the command [Still]. Older
// nodes do not; they know [Snap] only.
const CapStill = "still"

// Problem is the error in a camera's state.
type Problem struct {
	Code Code   `json:"code"`
	Text string `json:"text"`
}

// State is what a camera does, on cam/<id>/state.
type State struct {
	Streaming bool     `json:"streaming"`
	Viewers   int      `json:"viewers"` // leases held
	FPS       float64  `json:"fps"`     // pictures per second asked of it now, 0 when not streaming
	Width     int      `json:"width"`   // of the newest picture, pixels
	Height    int      `json:"height"`
	Quality   int      `json:"quality,omitempty"` // JPEG quality asked for
	Flash     *int     `json:"flash,omitempty"`   // percent asked for; missing until it was
	Privacy   bool     `json:"privacy"`
	Warm      bool     `json:"warm"` // the camera is open: a snap is its next picture
	LastFrame *Time    `json:"last_frame"`
	Error     *Problem `json:"error"`
	Size      string   `json:"size,omitempty"`    // greatest size chosen, "1280x720"
	Warning   string   `json:"warning,omitempty"` // what the camera does not do although asked, or does otherwise than usual
}

// Meta describes the snapshot that follows it, on cam/<id>/snapshot/meta.
type Meta struct {
	TS     Time   `json:"ts"`    // when the picture was taken
	Seq    uint64 `json:"seq"`   // counts deliberate pictures since the node started
	Cause  string `json:"cause"` // command, schedule, motion or push
	ID     string `json:"id,omitempty"`
	Bytes  int    `json:"bytes"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Warm   bool   `json:"warm"`    // the camera was open already
	TookMS int64  `json:"took_ms"` // from the request to the whole picture
	Late   bool   `json:"late,omitempty"`
	Image  string `json:"image,omitempty"` // ImageUniqueID in the picture's EXIF
}

// The causes of a deliberate picture.
const (
	CauseCommand  = "command"
	CauseSchedule = "schedule"
	CauseMotion   = "motion"
	CausePush     = "push" // a board sent it by itself
)

// Result is the answer to one command or setting, on cam/<id>/result.
type Result struct {
	Cmd    string `json:"cmd"`
	ID     string `json:"id,omitempty"`
	OK     bool   `json:"ok"`
	Code   Code   `json:"code"`
	Text   string `json:"text,omitempty"`
	TS     Time   `json:"ts"`
	TookMS int64  `json:"took_ms"`
	Bytes  int    `json:"bytes,omitempty"` // of the picture
	Seq    uint64 `json:"seq,omitempty"`   // of the picture, as in snapshot/meta
	Late   bool   `json:"late,omitempty"`
	Image  string `json:"image,omitempty"` // ImageUniqueID in the picture's EXIF
}

// The types of events.
const (
	EventSnapshot      = "snapshot"
	EventStreamStarted = "stream_started"
	EventStreamStopped = "stream_stopped"
	EventError         = "error"
	EventMotionStarted = "motion_started"
	EventMotionStopped = "motion_stopped"
)

// Event is something that happened, on cam/<id>/event.
type Event struct {
	Type  string `json:"event_type"`
	TS    Time   `json:"ts"`
	Code  Code   `json:"code,omitempty"`  // error
	Text  string `json:"text,omitempty"`  // error
	Seq   uint64 `json:"seq,omitempty"`   // snapshot
	Cause string `json:"cause,omitempty"` // snapshot
	Bytes int    `json:"bytes,omitempty"` // snapshot
	Late  bool   `json:"late,omitempty"`  // snapshot: held back by an outage
	Image string `json:"image,omitempty"` // snapshot: ImageUniqueID in the picture's EXIF
}

// Hub is what an embedded broker's own announcer says on [Base.Hub], retained.
type Hub struct {
	Discovery string `json:"discovery"` // device, component or off: how it describes every camera to Home Assistant
	Prefix    string `json:"prefix"`    // below which topic
	Version   string `json:"version"`   // of its program
	// Forgotten are cameras that Home Assistant has not been told to forget yet,
	// because it was not connected.
	Forgotten []ID `json:"forgotten,omitempty"`
}

// Message is one MQTT message as topics.md describes it.
type Message struct {
	Topic    string
	Payload  []byte
	QoS      byte
	Retained bool
	// Head, in messages that are sent, is the beginning of the payload, where that is
	// in two pieces.
	Head []byte
}

// Size is the length of the whole payload, in bytes.
func (m Message) Size() int { return len(m.Head) + len(m.Payload) }

// JSON returns v as a payload. Everything in this package can be written, so
// the error is a mistake of the program.
func JSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write %T as JSON: %w", v, err)
	}
	return b, nil
}
