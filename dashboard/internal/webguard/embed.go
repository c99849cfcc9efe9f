package webguard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// embedding is which sites may show the page in a frame, and pictures in img elements.
type embedding struct {
	sites     origins
	ancestors string // for frame-ancestors of the content security policy
}

func parseEmbedding(list []string) (e embedding, err error) {
	if e.sites, err = parseOrigins(list); err != nil {
		return e, err
	}
	e.ancestors = "'none'"
	if len(list) > 0 {
		all := make([]string, 0, len(e.sites.full))
		for site := range e.sites.full {
			all = append(all, site)
		}
		slices.Sort(all)
		e.ancestors = "'self' " + strings.Join(all, " ")
	}
	return e, nil
}

func (e embedding) any() bool { return len(e.sites.full) > 0 }

// covers reports whether a path is one that other sites may show at all: the page, its
// login and pictures.
func (e embedding) covers(path string) bool {
	return e.any() && (path == "/" || path == indexPath || path == LoginPath || strings.HasPrefix(path, "/cam/"))
}

// allows reports whether a request is a frame or a picture of a site that may have it. Browsers
// do not always say which site that is: frames of others are then refused by
// frame-ancestors, and pictures in them show only what needs no account.
func (e embedding) allows(r *http.Request) bool {
	if !e.covers(r.URL.Path) {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "image", "iframe", "frame":
	default:
		return false
	}
	from := r.Referer()
	if from == "" {
		return true
	}
	u, err := url.Parse(from)
	return err == nil && u.Host != "" && e.sites.lists(u)
}
