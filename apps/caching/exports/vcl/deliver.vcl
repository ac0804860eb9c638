sub vcl_backend_response {
    if (bereq.uncacheable) {
        return (deliver);
    }
    if (beresp.status >= 500) {
        if (bereq.is_bgfetch) {
            return (abandon);
        }
        set beresp.ttl = 0s;
        set beresp.grace = 0s;
        set beresp.keep = 0s;
        return (deliver);
    }
    if (!beresp.http.Cache-Control || beresp.http.Cache-Control ~ "(?i)(^|[, ])(private|no-store)"
        || beresp.http.Set-Cookie || beresp.http.Vary ~ "\*") {
        set beresp.uncacheable = true;
        set beresp.ttl = 10s;
        return (deliver);
    }
    set beresp.http.X-Assetsite-Revalidate = "0";
    set beresp.http.X-Assetsite-Error = "0";
    if (beresp.http.Cache-Control ~ "(?i)(^|[, ])no-cache") {
        # Asked about before each use, so that no old copy is shown either (RFC 9111 section 4.2.4).
        set beresp.ttl = 0s;
    } else if (beresp.http.Cache-Control !~ "(?i)(^|[, ])(must|proxy)-revalidate") {
        if (beresp.http.Cache-Control ~ "(?i)(^|[, ])stale-while-revalidate=[0-9]") {
            set beresp.http.X-Assetsite-Revalidate =
                regsub(beresp.http.Cache-Control, "(?i)^(?:.*[, ])?stale-while-revalidate=([0-9]+).*$", "\1");
        }
        if (beresp.http.Cache-Control ~ "(?i)(^|[, ])stale-if-error=[0-9]") {
            set beresp.http.X-Assetsite-Error =
                regsub(beresp.http.Cache-Control, "(?i)^(?:.*[, ])?stale-if-error=([0-9]+).*$", "\1");
        }
    }
    # Nothing old is shown that the origin does not allow: not even for Varnish's own ten seconds.
    set beresp.grace = std.duration(beresp.http.X-Assetsite-Revalidate + "s", 0s);
    if (std.duration(beresp.http.X-Assetsite-Error + "s", 0s) > beresp.grace) {
        set beresp.grace = std.duration(beresp.http.X-Assetsite-Error + "s", 0s);
    }
    # Beyond that a copy is only good for asking whether it is still right.
    set beresp.keep = 1d;
    # For bans that the ban lurker can apply.
    set beresp.http.X-Assetsite-Host = bereq.http.Host;
    set beresp.http.X-Assetsite-Path = bereq.http.X-Assetsite-Path;
    set beresp.http.X-Assetsite-Fetched = "200";
    if (beresp.was_304) {
        set beresp.http.X-Assetsite-Fetched = "304";
    }
    @xkey@
    return (deliver);
}

sub vcl_backend_error {
    set beresp.http.Content-Type = "text/plain; charset=utf-8";
    set beresp.http.Cache-Control = "no-store";
    set beresp.http.Retry-After = "5";
    set beresp.body = "The origin does not answer.";
    return (deliver);
}

sub vcl_deliver {
    if (resp.status >= 500 && req.http.X-Assetsite-Again == "ask, or show the old copy") {
        set req.http.X-Assetsite-Again = "failed";
        return (restart);
    }
    if (!req.http.X-Assetsite-Status) {
        set req.http.X-Assetsite-Status = "fwd=uri-miss";
        if (resp.http.X-Assetsite-Fetched == "304") {
            set req.http.X-Assetsite-Status = "fwd=stale; fwd-status=304";
        }
    }
    # RFC 9211, behind what other caches have said.
    if (resp.http.Cache-Status) {
        set resp.http.Cache-Status = resp.http.Cache-Status + ", assetsite-varnish; " + req.http.X-Assetsite-Status;
    } else {
        set resp.http.Cache-Status = "assetsite-varnish; " + req.http.X-Assetsite-Status;
    }
    # Varnish makes a 416 of this: nobody keeps that as long as the file.
    if (req.method == "GET" && resp.status == 200 && req.http.Range ~ "=[0-9]+-" && std.integer(regsub(
        req.http.Range, "^[^=]*=([0-9]+)-.*$", "\1"), 0) >= std.integer(resp.http.Content-Length, 999999999999)) {
        set resp.http.Cache-Control = "no-store";
        unset resp.http.CDN-Cache-Control;
        unset resp.http.Surrogate-Control;
    }
    unset resp.http.X-Assetsite-Error;
    unset resp.http.X-Assetsite-Fetched;
    unset resp.http.X-Assetsite-Host;
    unset resp.http.X-Assetsite-Path;
    unset resp.http.X-Assetsite-Revalidate;
    unset resp.http.X-Varnish;
    unset resp.http.xkey;
    return (deliver);
}

sub vcl_synth {
    set resp.http.Content-Type = "text/plain; charset=utf-8";
    set resp.http.Cache-Control = "no-store";
    set resp.body = resp.reason;
    return (deliver);
}
