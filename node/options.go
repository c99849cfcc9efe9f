package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// Link is what a node needs of its connection to the broker.
type Link interface {
	// Publish sends messages in order and returns when those of QoS 0 have left
	// and those of QoS 1 are acknowledged, all on one connection; it fails at
	// once when there is none. Without an error it has no use for their bytes any more.
	Publish(ctx context.Context, msgs ...wire.Message) error
}

// Options says what a node is made of. ID, Source, Link and Log are needed.
type Options struct {
	ID     wire.ID
	Base   wire.Base // "" is "cam"
	Name   string    // what people read; "" is the id
	Source camera.Source
	Link   Link
	Log    *slog.Logger

	// What a lease or a snap can get at most. Zero values leave it to the
	// source; FPS 0 is 10 pictures per second.
	Size    wire.Size
	FPS     float64
	Quality int
	// Settings are the others, as the configuration has them; those that are missing have
	// the defaults of package wire.
	Settings []wire.Change
	// Orientation is written into pictures as EXIF Orientation, 1 to 8; 0 is 1.
	Orientation int

	StatsEvery    time.Duration // between heartbeats; 0 is 30 s
	FirstPicture  time.Duration // a picture for preview within it after the start and after privacy; 0 is none
	MaxImageBytes int           // larger pictures are never sent; 0 is 900,000

	Version string // of the program
	Host    string // where the node runs
	// Labels are texts about the camera, such as its room.
	Labels map[string]string
	// Hardware is the machine that the camera is part of, for people; "" is not
	// known, or the camera is elsewhere.
	Hardware string

	Bridge wire.ID // goes into info; "" is none

	// Store keeps privacy and settings, so that a restart does not end them; nil: it does.
	Store Store
	// Given are settings that were given at this start: what is kept of them is dropped.
	Given []wire.Setting

	// Informed, if set, is told what info says whenever it is published, and nil
	// when another node serves this id. It must not block.
	Informed func(*wire.Info)
}

// Defaults and limits of a node.
const (
	stateEvery      = time.Second            // topics.md: state at most once a second
	helloSpread     = 500 * time.Millisecond // topics.md: hello to _all is answered after 0 to 500 ms
	firstPicture    = 15 * time.Second       // unless the source says otherwise
	snapGrace       = 5 * time.Second        // beyond the first picture's time, then: timeout
	goodbye         = 700 * time.Millisecond // for the last messages when the node stops
	maxLeases       = 256                    // of viewers; those beyond share one
	maxPending      = 4096                   // snaps waiting for one picture
	maxHeldPictures = 8                      // deliberate pictures kept through an outage
	maxHeldItems    = 4096                   // groups of results and events that wait or are kept through an outage
	maxHeldSettings = 256                    // that wait for privacy to be written down
)

func (o *Options) check() error {
	switch {
	case o.Source == nil || o.Link == nil || o.Log == nil:
		return errors.New("node: Source, Link and Log are needed")
	case o.Orientation < 0 || o.Orientation > 8:
		return fmt.Errorf("node: orientation %d: want 1 to 8", o.Orientation)
	}
	if _, err := wire.ParseID(string(o.ID)); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = string(o.ID)
	}
	if o.MaxImageBytes == 0 {
		o.MaxImageBytes = 900_000
	}
	if o.StatsEvery == 0 {
		o.StatsEvery = 30 * time.Second
	}
	return o
}
