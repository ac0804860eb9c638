vcl 4.1;

# Varnish in front of assetsite. Start varnishd with -p http_gzip_support=off: the origin has better
# codings.
# Cache rules of a new site.
# The origin says with each answer how long it may be kept (several rules for one file: the first decides):
# 1. Pages (pages, version 1), owned by admin
#    Files of type text/html or application/xhtml+xml: Cache-Control: public, max-age=0, must-revalidate
# 2. Files with a content hash in their name (fingerprinted, version 1), owned by admin
#    Files whose name carries a content hash: Cache-Control: public, max-age=31536000, immutable
# 3. Everything else (everything, version 1), owned by admin
#    Every file: Cache-Control: public, max-age=300, stale-while-revalidate=60, stale-if-error=86400
# Previews are never kept: A preview shows what is not published yet and changes with each edit, so nobody may keep it.

import std;

backend assetsite { .host = "127.0.0.1"; .port = "8000"; }

acl assetsite_purgers {
    "127.0.0.1"/32;
    "::1"/128;
}

# When to step aside.
sub assetsite_step_aside {
}

sub vcl_recv {
    if (req.restarts > 0) {
        # The copy is older than may be shown unasked: what is fetched now is waited for.
        set req.grace = 0s;
        if (req.http.X-Assetsite-Again == "failed") {
            set req.grace = 365d;
        }
        return (hash);
    }
    unset req.http.X-Assetsite-Again;
    unset req.http.X-Assetsite-Page;
    unset req.http.X-Assetsite-Path;
    unset req.http.X-Assetsite-Purged;
    unset req.http.X-Assetsite-Query;
    unset req.http.X-Assetsite-Status;
    # Headers by which others let a visitor choose another address or method.
    unset req.http.X-Forwarded-Host;
    unset req.http.X-Original-URL;
    unset req.http.X-Rewrite-URL;
    unset req.http.X-HTTP-Method-Override;
    if (req.url !~ "^/") {
        return (synth(400, "Bad Request"));
    }
    set req.http.Host = std.tolower(req.http.Host);
    # Of two fields of one name a condition would read the first.
    std.collect(req.http.Cookie, "; ");
    # Varnish refuses ranges that it cannot read, several of them included: nobody has to answer with ranges.
    if (req.http.Range !~ "(?i)^bytes=(?:[0-9]{1,15}-(?:[0-9]{1,15})?|-0{0,9}[1-9][0-9]{0,14})$"
        || std.integer(regsub(req.http.Range, "^[^=]*=([0-9]+)-[0-9]+$", "\1"), 0)
            > std.integer(regsub(req.http.Range, "^[^=]*=[0-9]+-([0-9]+)$", "\1"), 0)) {
        unset req.http.Range;
    }
    set req.http.X-Assetsite-Path = regsub(req.url, "\?.*$", "");
    if (req.url ~ "\?.") {
        set req.http.X-Assetsite-Query = regsub(req.url, "^[^?]*\?", "");
    }

    if (req.method == "PURGE") {
        # Varnish has added the peer's address to X-Forwarded-For: two of them have come by way of a proxy.
        if (client.ip !~ assetsite_purgers || req.http.X-Forwarded-For ~ ",") {
            return (synth(405, "Not allowed"));
        }
        if (req.http.Surrogate-Key) {
            if (req.http.Surrogate-Key !~ "^[A-Za-z0-9._:/-]+( +[A-Za-z0-9._:/-]+)*$") {
                return (synth(400, "Bad Surrogate-Key"));
            }
            ban("obj.http.Surrogate-Key ~ (^|\s)(" + regsuball(req.http.Surrogate-Key, " +", "|") + ")(\s|$)");
            return (synth(200, "Purged"));
        }
        set req.http.Host = regsub(req.http.Host, "\.*(:[0-9]*)?$", "");
        if (req.http.X-Assetsite-Path ~ "/\*$") {
            # Everything below a folder.
            ban("obj.http.X-Assetsite-Host == " + req.http.Host + " && obj.http.X-Assetsite-Path ~ ^" +
                regsuball(regsub(req.http.X-Assetsite-Path, "\*$", ""), "([^A-Za-z0-9/_-])", "\\\1"));
            return (synth(200, "Purged"));
        }
        set req.url = req.http.X-Assetsite-Path;
        return (purge);
    }
    if (req.method != "GET" && req.method != "HEAD") {
        set req.http.X-Assetsite-Status = "fwd=method";
        return (pass);
    }
    if (req.http.Host ~ "\.preview\x2Elocalhost\.*(?::[0-9]*)?$") {
        set req.http.X-Assetsite-Status = "fwd=bypass; detail=preview";
        return (pass);
    }
    set req.http.Host = regsub(req.http.Host, "\.*(:[0-9]*)?$", "");
    # Only addresses as the origin writes them are kept: each file has one name in the cache.
    if (req.url ~ "^/-/" || req.http.X-Assetsite-Path !~ "^(?![^?]*(?://|/\.\.?(?:[/?]|$)))/(?:[A-Za-z0-9._~/:@!$&\x27()*+,;=-]|%(?:2[0235]|3[CEF]|5[BDE]|60|7[BCD]|[89A-F][0-9A-F]))*$") {
        set req.http.X-Assetsite-Status = "fwd=bypass";
        return (pass);
    }
    # What a page without its ending is called, for the rules that go by endings.
    if (req.http.X-Assetsite-Path ~ "/$") {
        set req.http.X-Assetsite-Page = req.http.X-Assetsite-Path + "index.html";
    } else if (req.http.X-Assetsite-Path ~ "/[^./]+$") {
        set req.http.X-Assetsite-Page = req.http.X-Assetsite-Path + ".html";
    }
    call assetsite_step_aside;
    if (req.http.X-Assetsite-Path !~ "/[^/]*\.(?!(?:[hH][tT][mM][lL]?|[xX][hH][tT][mM][lL]?)$)[^./]+$") {
        # A query on a page may be meant for a redirect; a file has none that counts.
        if (req.http.X-Assetsite-Query) {
            set req.http.X-Assetsite-Status = "fwd=bypass; detail=query";
        }
        # Pages are asked for each time: nobody waits for another visitor's question.
        set req.hash_ignore_busy = true;
    }
    if (req.http.X-Assetsite-Status) {
        return (pass);
    }

    # Nothing goes to the origin that is not part of the key.
    set req.url = req.http.X-Assetsite-Path;
    unset req.http.Cookie;
    unset req.http.Authorization;
    # What browsers ask for, in one spelling each.
    if (req.http.Accept-Encoding ~ "^(?=.*\bzstd\b)(?=.*\bbr\b)(?=.*\bgzip\b)[a-z, ]*$") {
        set req.http.Accept-Encoding = "zstd, br, gzip";
    } else if (req.http.Accept-Encoding ~ "^(?=.*\bbr\b)(?=.*\bgzip\b)[a-z, ]*$") {
        set req.http.Accept-Encoding = "br, gzip";
    } else if (req.http.Accept-Encoding ~ "^(?=.*\bgzip\b)[a-z, ]*$") {
        set req.http.Accept-Encoding = "gzip";
    }
    return (hash);
}

sub vcl_hash {
    hash_data(req.http.Host);
    hash_data(req.url);
    return (lookup);
}

sub vcl_purge {
    return (synth(200, "Purged"));
}

sub vcl_hit {
    if (obj.ttl > 0s) {
        set req.http.X-Assetsite-Status = "hit; ttl=" + std.integer(duration=obj.ttl, fallback=0);
        return (deliver);
    }
    if (obj.ttl + std.duration(obj.http.X-Assetsite-Revalidate + "s", 0s) > 0s) {
        set req.http.X-Assetsite-Status =
            "hit; ttl=" + std.integer(duration=obj.ttl, fallback=0) + "; detail=stale-while-revalidate";
        return (deliver);
    }
    if (req.http.X-Assetsite-Again == "failed") {
        set req.http.X-Assetsite-Status =
            "hit; ttl=" + std.integer(duration=obj.ttl, fallback=0) + "; detail=stale-if-error";
        return (deliver);
    }
    set req.http.X-Assetsite-Again = "ask";
    if (obj.ttl + std.duration(obj.http.X-Assetsite-Error + "s", 0s) > 0s) {
        set req.http.X-Assetsite-Again = "ask, or show the old copy";
    }
    return (restart);
}

sub vcl_backend_fetch {
    unset bereq.http.X-Assetsite-Again;
    unset bereq.http.X-Assetsite-Page;
    unset bereq.http.X-Assetsite-Query;
    unset bereq.http.X-Assetsite-Status;
    return (fetch);
}


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
