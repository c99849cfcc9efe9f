package cli

import (
	"context"

	"camqtt/dashboard"
	"camqtt/internal/access"
	"camqtt/internal/enrol"
	"camqtt/internal/wire"
)

// pageInvitations lets admins invite cameras in the page.
type pageInvitations struct{ hub *enrol.Hub }

// enroller is what invites cameras in the page; nil where nobody can join.
func (b *plant) enroller() dashboard.Enroller {
	if b.joining == nil {
		return nil
	}
	return pageInvitations{b.joining}
}

// Invite makes a join string and draws it.
func (p pageInvitations) Invite(ctx context.Context, by access.Principal, id wire.ID) (dashboard.Invitation, error) {
	in, err := p.hub.Invite(ctx, by, id)
	if err != nil {
		return dashboard.Invitation{}, err
	}
	out := dashboard.Invitation{Join: in.Code.Text(), Expires: in.Expires}
	if qr, err := enrol.NewQR(out.Join); err == nil { // the text alone is enough
		out.QR = qr.PNG()
	}
	return out, nil
}
