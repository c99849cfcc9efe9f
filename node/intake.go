package node

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// intake checks each frame from the camera and passes on the pictures that may be
// published. Those that are too large it has made smaller, or refuses.
type intake struct {
	log      *slog.Logger
	count    *counters
	limit    *sizeLimit
	shrinker *shrinker
	runner   *runner
	stamp    *stamp
	accept   func(*picture, camera.Frame, time.Time)
	changed  func()
	scaling  string // why pictures are made smaller, "" when they are not
}

// receive handles one frame from the camera.
func (i *intake) receive(f camera.Frame, now time.Time) {
	if i.runner.open.closing {
		f.Report(camera.ErrClosed)
		return
	}
	info, err := f.Info, error(nil)
	if info.Len == 0 || info.Len > len(f.JPEG) {
		info, err = jpeg.Scan(f.JPEG)
	}
	if err != nil {
		f.Report(fmt.Errorf("%w: %w", camera.ErrDamaged, err))
		i.runner.why = err.Error()
		if i.count.broken.Add(1) == 1 {
			i.log.Warn("picture is not a whole JPEG, dropped", "bytes", len(f.JPEG), "err", err)
		}
		return
	}
	f.JPEG = f.JPEG[:info.Len]
	i.runner.received(f.At, now)
	p := &picture{at: f.At, raw: f.JPEG, buffer: f.Buffer, info: info, stamp: i.stamp}
	most := i.limit.most()
	unused := !i.runner.demand.any() && !i.runner.newest.pushed // it is only kept for later
	switch profile := i.runner.profile(); {
	case unused || p.fits(most):
		if p.size() <= most {
			i.scaled("")
		}
		i.use(p, f, now)
	case shrinkable(profile):
		i.shrinker.put(oversize{frame: f, size: len(p.bytes()), most: most, run: i.runner.open})
	default:
		f.Report(i.refuse(len(p.bytes()), now))
	}
}

// receiveShrunk goes on with a picture that has been made smaller.
func (i *intake) receiveShrunk(s shrunk, now time.Time) {
	if i.runner.open != s.run || s.run.closing {
		s.frame.Report(camera.ErrClosed)
		return
	}
	info, err := jpeg.Scan(s.jpeg)
	p := &picture{at: s.frame.At, raw: s.jpeg, info: info, stamp: i.stamp}
	if s.err == nil && err == nil && p.fits(i.limit.most()) {
		i.scaled(s.warning(s.most))
		i.use(p, s.frame, now)
		return
	}
	i.log.Debug("picture not made smaller", "bytes", s.size, "err", errors.Join(s.err, err))
	s.frame.Report(i.refuse(s.size, now))
}

// use passes on a picture. It ends a fault, unless that is that pictures are too large and
// this one is as well.
func (i *intake) use(p *picture, f camera.Frame, now time.Time) {
	if fault := i.runner.faults.now; fault != nil && (fault.code != wire.TooLarge || p.size() <= i.limit.most()) {
		i.runner.faults.end()
	}
	i.accept(p, f, now)
}

// scaled notes whether pictures are made smaller, and why.
func (i *intake) scaled(warning string) {
	if i.scaling != warning && (i.scaling == "" || warning == "") { // the text counts bytes
		i.scaling = warning
		i.changed()
		if warning != "" {
			i.log.Warn("pictures are scaled down", "why", warning)
		}
	}
}

// refuse answers the requests that wait for a picture, which is too large, and says so in
// state.error. A broker would end the connection over it.
func (i *intake) refuse(size int, now time.Time) error {
	f := i.tooLarge(size, now)
	i.runner.report(f)
	return fmt.Errorf("%w: %s", camera.ErrTooLarge, f.text)
}

// tooLarge counts a picture that is not sent because of its size.
func (i *intake) tooLarge(size int, now time.Time) fault {
	i.count.tooLarge.Add(1)
	return fault{code: wire.TooLarge, text: i.limit.text(size), at: now}
}
