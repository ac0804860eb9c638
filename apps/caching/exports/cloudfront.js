function isAsked(condition, request) {
    if (condition.kind === "query") {
        return new RegExp(condition.asked).test(Object.keys(request.querystring).join("&"));
    }
    if (condition.kind === "cookie") {
        return condition.asked in request.cookies;
    }
    return condition.asked in request.headers;
}

function isWithin(condition, path) {
    const within = new RegExp(condition.within);
    // What a page without its ending is called, for the rules that go by endings.
    return within.test(path) || within.test(path + "index.html") || within.test(path + ".html");
}

function stepsAside(request) {
    const path = request.uri;
    const host = request.headers.host ? request.headers.host.value.toLowerCase() : "";
    if (request.method !== "GET" && request.method !== "HEAD") {
        return true;
    }
    // Only addresses as the origin writes them are kept: each file has one name in the cache.
    if (PREVIEW.test(host) || path.startsWith(DJANGO) || !CANONICAL.test(path)) {
        return true;
    }
    // A query on a page may be meant for a redirect; a file has none that counts.
    if (!FILE.test(path) && Object.keys(request.querystring).length) {
        return true;
    }
    return CONDITIONS.some((condition) => isAsked(condition, request) && isWithin(condition, path));
}

function handler(event) {
    const request = event.request;
    // Headers by which others let a visitor choose another address, method or key.
    for (const name of [
        "x-assetsite-alone", "x-forwarded-host", "x-original-url", "x-rewrite-url", "x-http-method-override",
    ]) {
        delete request.headers[name];
    }
    if (stepsAside(request)) {
        // A key that no other request has.
        request.headers["x-assetsite-alone"] = { value: event.context.requestId };
        return request;
    }
    // Nothing goes to the origin that is not part of the key.
    request.querystring = {};
    request.cookies = {};
    delete request.headers.authorization;
    return request;
}
