sub vcl_recv {
    #FASTLY recv
    if (req.restarts == 0) {
        unset req.http.X-Assetsite-Page;
        unset req.http.X-Assetsite-Status;
        # Headers by which others let a visitor choose another address or method.
        unset req.http.X-Forwarded-Host;
        unset req.http.X-Original-URL;
        unset req.http.X-Rewrite-URL;
        unset req.http.X-HTTP-Method-Override;
        set req.http.X-Assetsite-Path = req.url.path;
        set req.http.X-Assetsite-Query = req.url.qs;
    }
    # One name of each host, by which its copies can be purged.
    set req.http.host = std.tolower(regsub(req.http.host, {"\.*(:[0-9]*)?$"}, ""));
    if (req.method == "FASTLYPURGE") {
        # Purges by address need a token, as all others do.
        set req.http.Fastly-Purge-Requires-Auth = "1";
        return (lookup);
    }
    if (req.method != "GET" && req.method != "HEAD") {
        set req.http.X-Assetsite-Status = "fwd=method";
        return (pass);
    }
    if (@preview@) {
        set req.http.X-Assetsite-Status = "fwd=bypass; detail=preview";
        return (pass);
    }
    # Only addresses as the origin writes them are kept: each file has one name in the cache.
    if (req.url ~ "^@django@" || req.http.X-Assetsite-Path !~ {"^@canonical@$"}) {
        set req.http.X-Assetsite-Status = "fwd=bypass";
        return (pass);
    }
    # What a page without its ending is called, for the rules that go by endings.
    if (req.http.X-Assetsite-Path ~ "/$") {
        set req.http.X-Assetsite-Page = req.http.X-Assetsite-Path "index.html";
    } else if (req.http.X-Assetsite-Path ~ "/[^./]+$") {
        set req.http.X-Assetsite-Page = req.http.X-Assetsite-Path ".html";
    }
    call assetsite_step_aside;
    # A query on a page may be meant for a redirect; a file has none that counts.
    if (req.http.X-Assetsite-Query ~ "." && req.http.X-Assetsite-Path !~ {"@file@"}) {
        set req.http.X-Assetsite-Status = "fwd=bypass; detail=query";
    }
    if (req.http.X-Assetsite-Status) {
        return (pass);
    }

    # Nothing goes to the origin that is not part of the key.
    set req.url = req.http.X-Assetsite-Path;
    unset req.http.Cookie;
    unset req.http.Authorization;
    return (lookup);
}

sub vcl_hash {
    set req.hash += req.url;
    set req.hash += req.http.host;
    #FASTLY hash
    return (hash);
}

sub vcl_hit {
    #FASTLY hit
    return (deliver);
}

sub vcl_miss {
    #FASTLY miss
    return (fetch);
}

sub vcl_pass {
    #FASTLY pass
    return (pass);
}

sub vcl_fetch {
    #FASTLY fetch
    # How long an old copy may bridge a failure, Fastly reads in stale-if-error of the origin.
    if (beresp.status >= 500 && beresp.status < 600) {
        if (stale.exists) {
            return (deliver_stale);
        }
        return (pass);
    }
    # Fastly itself reads the times alone, those of Surrogate-Control in place of Cache-Control's.
    if (!beresp.http.Cache-Control || beresp.http.Cache-Control ~ "(?i)(^|[, ])(private|no-store)"
        || (beresp.http.Cache-Control ~ "(?i)(^|[, ])no-cache" && !beresp.http.Surrogate-Control)
        || beresp.http.Set-Cookie || beresp.http.Vary ~ "\*") {
        return (pass);
    }
    return (deliver);
}

sub vcl_error {
    #FASTLY error
    if (obj.status >= 500 && obj.status < 600 && stale.exists) {
        return (deliver_stale);
    }
    return (deliver);
}

sub vcl_deliver {
    #FASTLY deliver
    if (!req.http.X-Assetsite-Status) {
        set req.http.X-Assetsite-Status = if(fastly_info.state ~ "^HIT", "hit", "fwd=uri-miss");
        if (fastly_info.state ~ "STALE") {
            set req.http.X-Assetsite-Status = "hit; detail=stale";
        }
    }
    # RFC 9211, behind what other caches have said; the shield before this node has said it already.
    if (!req.http.Fastly-FF) {
        set resp.http.Cache-Status = if(resp.http.Cache-Status, resp.http.Cache-Status ", ", "")
            "assetsite-fastly; " req.http.X-Assetsite-Status;
    }
    return (deliver);
}

sub vcl_log {
    #FASTLY log
}
