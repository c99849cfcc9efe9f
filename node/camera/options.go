package camera

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// Options is what sources have in common. The zero value is good.
type Options struct {
	// Rotate is how the picture is to be turned: "", "0", "90", "180", "270"
	// (degrees clockwise), "hflip" or "vflip". A source that does it lists
	// CapRotate; with others it is the caller's.
	Rotate string
	// Log takes problems that do not stop a source but should be known; nil
	// discards it.
	Log *slog.Logger
	// HTTPClient is used for http and https; its Transport only, the rest is
	// the source's. nil is one that connects directly within 5 s, waits 20 s for
	// an answer and checks certificates, by the options pin= and ca= of the URL
	// where these are given.
	HTTPClient *http.Client
	// MaxPicture is the largest picture passed on, in bytes; 0 is 8 MiB.
	MaxPicture int
	// Check is how closely pictures are looked at before they are passed on:
	// CheckAuto, CheckFull or CheckMarkers; "" is CheckAuto.
	Check string
	// Settle is for how long after the first of a Stream pictures may be left
	// out until their brightness is steady, up to 10 s; 0 is 1.5 s for a camera
	// of this machine (v4l2, rpicam) and none for other sources; negative is
	// none. A source whose own text has settle= goes by that.
	Settle time.Duration
	// Timeout is how long the first picture may take; 0 is what is usual for the kind. A
	// source whose own text has timeout= goes by that.
	Timeout time.Duration
	// Inbox is where the pictures of a push source come in; nil is nowhere.
	Inbox PictureFeed

	// Base is the base topic of this program, below which a mqtt source may not read; ""
	// is cam.
	Base string
	// Subscribe subscribes for a mqtt source; nil is no broker.
	Subscribe Subscribe
	// User and Password are for a camera that wants them, unless its source has them.
	User, Password string
	// StopGrace is how long a child program may take to end after it was asked to,
	// before it is killed; 0 is 2 s.
	StopGrace time.Duration
}

const DefaultMaxPicture = 8 << 20

// PictureFeed is where pictures come in without a request.
type PictureFeed interface {
	// Receive emits what comes until ctx is done. What comes at other times is refused.
	Receive(ctx context.Context, emit func(Frame))
}

// Subscription is what a mqtt source subscribes to.
type Subscription struct {
	Broker string // URL; "" is the broker of this program
	Topic  string
	// Receive gets each message, one at a time. It never blocks.
	Receive func(payload []byte, retained bool)
}

// Subscribe receives messages until ctx is done, over as many connections as that takes.
type Subscribe func(ctx context.Context, s Subscription) error
