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
            @purge@
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
    if (@preview@) {
        set req.http.X-Assetsite-Status = "fwd=bypass; detail=preview";
        return (pass);
    }
    set req.http.Host = regsub(req.http.Host, "\.*(:[0-9]*)?$", "");
    # Only addresses as the origin writes them are kept: each file has one name in the cache.
    if (req.url ~ "^@django@" || req.http.X-Assetsite-Path !~ "^@canonical@$") {
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
    if (req.http.X-Assetsite-Path !~ "@file@") {
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

