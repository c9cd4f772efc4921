//! One request with everything that is known about it: who asks, what was typed, how the answer looks.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts as _, RawPathParams, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hob_admin_ui::view::error::{Failed, Failure};
use hob_admin_ui::{Chrome, Here, Notice, SignedIn};
use hob_relay::admin::{Answer, Ask};
use hob_relay::keeping::{By, Change, Keeper, KeepingView, NotPossible, Role, SetUp};
use http_body_util::{BodyExt as _, Limited};

use crate::admin::Admin;
use crate::admin::csrf::Freshness;
use crate::admin::form::{Fields, escaped};
use crate::admin::guard::{self, Peer};
use crate::admin::sessions::{Holder, Session};
use crate::control::NotDone;

/// The largest form, in bytes.
pub const FORM_BYTES_MAX: usize = 64 << 10;

/// How long a form may take to come.
const FORM_WITHIN: Duration = Duration::from_secs(20);

/// The session's cookie. `__Host-`: this host's only, over TLS only (RFC 6265bis, section 4.1.3.2).
const SESSION: &str = "__Host-hob";

/// Of a browser that is not signed in yet: what its forms are bound to.
const VISIT: &str = "__Host-hob-visit";

/// Of a browser that signed in before: see [`crate::admin::limits`].
const KNOWN: &str = "__Host-hob-known";

/// What handlers answer; an early answer is one, too.
pub type Reply = Result<Response, Response>;

/// One request.
pub struct At {
    /// What all requests share.
    pub admin: Arc<Admin>,
    /// Without the query.
    pub path: String,
    /// The path with the query, as it was asked for.
    pub whole_path: String,
    /// What stands behind the question mark.
    pub query: Fields,
    /// What was typed.
    pub form: Fields,
    /// From where it comes.
    pub peer: IpAddr,
    /// What the browser calls itself.
    pub agent: String,
    /// Who keeps the box.
    pub keeping: KeepingView,
    /// The session, if it is good.
    pub session: Option<Session>,
    /// The keeper of the session.
    pub keeper: Option<Keeper>,
    /// The keys of the path: `/members/{id}`.
    pub keys: Vec<(String, String)>,
    cookies: Cookies,
    is_get: bool,
}

#[derive(Default)]
struct Cookies {
    session: Option<String>,
    visit: Option<String>,
    known: Option<String>,
    new_visit: bool,
}

impl Cookies {
    fn read(headers: &HeaderMap) -> Self {
        let mut cookies = Self::default();
        let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        for pair in texts.flat_map(|text| text.split(';')) {
            match pair.trim().split_once('=') {
                Some((SESSION, value)) => cookies.session = Some(value.to_owned()),
                Some((VISIT, value)) => cookies.visit = Some(value.to_owned()),
                Some((KNOWN, value)) => cookies.known = Some(value.to_owned()),
                _ => {}
            }
        }
        cookies
    }
}

/// A form that is being carried out. Dropped before it is [`Once::done`], the same form may come again.
pub struct Once<'a> {
    at: &'a At,
    done: bool,
}

impl Once<'_> {
    /// It was carried out: when it comes again, it is told so.
    pub fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Once<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.at.admin.csrf.give_back(self.at.form.get("csrf"), &self.at.path);
        }
    }
}

impl FromRequest<Arc<Admin>> for At {
    type Rejection = Response;

    async fn from_request(request: Request, admin: &Arc<Admin>) -> Result<Self, Response> {
        let stopping = |_| guard::failure(StatusCode::SERVICE_UNAVAILABLE, Failed::Stopping);
        let not_a_form = |_| guard::failure(StatusCode::BAD_REQUEST, Failed::NotAForm);
        let keeping = admin.keeping().await.map_err(stopping)?;
        let Some(Peer(peer)) = request.extensions().get::<Peer>().copied() else {
            return Err(guard::failure(StatusCode::FORBIDDEN, Failed::PublicAddress));
        };
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_get && !is_from_own_page(&request) {
            return Err(guard::failure(StatusCode::FORBIDDEN, Failed::ForeignForm));
        }
        let (mut parts, body) = request.into_parts();
        let keys = match RawPathParams::from_request_parts(&mut parts, admin).await {
            Ok(params) => params.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            // A path without any.
            Err(_) => Vec::new(),
        };
        let query = Fields::read(parts.uri.query().unwrap_or_default().as_bytes()).map_err(not_a_form)?;
        let form = if is_get { Fields::default() } else { read_form(&parts.headers, body).await? };
        let mut cookies = Cookies::read(&parts.headers);
        let now = admin.now();
        let session = cookies.session.as_deref().and_then(|cookie| admin.sessions.of(cookie, now));
        let (session, keeper) = match session {
            Some(session) => match session.holder {
                Holder::SettingUp if keeping.set_up == SetUp::New => (Some(session), None),
                Holder::SettingUp => (None, None),
                // A keeper who was removed meanwhile is nobody.
                Holder::Keeper(id) => match keeping.keepers.iter().find(|keeper| keeper.id == id) {
                    Some(keeper) => (Some(session), Some(keeper.clone())),
                    None => (None, None),
                },
            },
            None => (None, None),
        };
        if session.is_none() && cookies.visit.is_none() {
            cookies.visit = random_text();
            cookies.new_visit = true;
        }
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        Ok(Self {
            path: parts.uri.path().to_owned(),
            whole_path: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            query,
            form,
            peer,
            agent: agent.to_owned(),
            keeping,
            session,
            keeper,
            keys,
            cookies,
            is_get,
            admin: Arc::clone(admin),
        })
    }
}

fn random_text() -> Option<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).ok()?;
    Some(data_encoding::BASE64URL_NOPAD.encode(&bytes))
}

/// Whether a browser that says where a form comes from says that it is from here. Others say neither (the token decides).
fn is_from_own_page(request: &Request) -> bool {
    const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    let headers = request.headers();
    if let Some(site) = headers.get(FETCH_SITE) {
        return site == "same-origin";
    }
    match headers.get(header::ORIGIN) {
        Some(origin) => {
            let own = guard::host_of(request).map(|host| format!("https://{host}"));
            origin.to_str().ok().map(str::to_ascii_lowercase) == own
        }
        None => true,
    }
}

async fn read_form(headers: &HeaderMap, body: Body) -> Result<Fields, Response> {
    let too_large = || {
        let failed = Failed::TooLarge { max_bytes: FORM_BYTES_MAX as u64 };
        let mut answer = guard::failure(StatusCode::PAYLOAD_TOO_LARGE, failed);
        // What is left of the body is not read.
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        answer
    };
    let not_a_form = || guard::failure(StatusCode::BAD_REQUEST, Failed::NotAForm);
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > FORM_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(FORM_WITHIN, Limited::new(body, FORM_BYTES_MAX).collect()).await;
    let bytes = match collected {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => return Err(too_large()),
        Ok(Err(_)) => return Err(not_a_form()),
        Err(_) => return Err((StatusCode::REQUEST_TIMEOUT, [(header::CONNECTION, "close")]).into_response()),
    };
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !bytes.is_empty() && !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(not_a_form());
    }
    Fields::read(&bytes).map_err(|_| not_a_form())
}

/// The drawing's word for a role.
pub const fn ui_role(role: Role) -> hob_admin_ui::Role {
    match role {
        Role::Owner => hob_admin_ui::Role::Owner,
        Role::Keeper => hob_admin_ui::Role::Keeper,
        Role::Viewer => hob_admin_ui::Role::Viewer,
    }
}

impl At {
    /// A key of the path.
    pub fn key(&self, name: &str) -> &str {
        self.keys.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The keeper who asks, if the role suffices.
    ///
    /// # Errors
    /// The page that says what is needed: the set-up, signing in, another role.
    pub fn signed_in(&self, needed: Role) -> Result<&Keeper, Response> {
        if self.keeping.set_up == SetUp::New {
            return Err(self.go("/setup"));
        }
        let Some(keeper) = &self.keeper else {
            let next = if self.is_get { self.whole_path.clone() } else { self.page_of_form() };
            let ended = if self.cookies.session.is_some() { "&ended=1" } else { "" };
            return Err(self.go(&format!("/sign-in?next={}{ended}", escaped(&next))));
        };
        if !keeper.role.may(needed) {
            return Err(self.fail(StatusCode::FORBIDDEN, Failed::NeedsRole(ui_role(needed))));
        }
        Ok(keeper)
    }

    /// The page on which the form of this path stands, or one that tells of it.
    fn page_of_form(&self) -> String {
        self.path.clone()
    }

    /// Who orders, for the audit log.
    pub fn by(&self) -> By {
        let who = self.keeper.as_ref().map_or_else(|| "set-up".to_owned(), |keeper| keeper.name.clone());
        By { who, from: self.peer.to_string() }
    }

    /// What the forms of this browser are bound to.
    fn bound_to(&self) -> &str {
        match (&self.session, &self.cookies.session, &self.cookies.visit) {
            (Some(_), Some(session), _) => session,
            (_, _, Some(visit)) => visit,
            _ => "",
        }
    }

    /// The session's cookie.
    pub fn session_cookie(&self) -> &str {
        self.cookies.session.as_deref().unwrap_or_default()
    }

    /// Begins to carry out a form.
    ///
    /// # Errors
    /// `stale` makes the page with what was typed, where the form is not of this session; a form that was carried out
    /// leads to `back`.
    pub fn once(&self, back: &str, stale: impl FnOnce(&Self) -> Response) -> Result<Once<'_>, Response> {
        match self.admin.csrf.take(self.bound_to(), self.form.get("csrf"), &self.path) {
            Freshness::Fresh => Ok(Once { at: self, done: false }),
            Freshness::Stale => Err(stale(self)),
            Freshness::Repeated => Err(self.tell(Notice::AlreadyDone, back)),
        }
    }

    /// Where a form leads that comes a second time, though what it was about may be gone by now.
    ///
    /// # Errors
    /// It did.
    pub fn refuse_repeated(&self, back: &str) -> Result<(), Response> {
        if self.admin.csrf.is_done(self.bound_to(), self.form.get("csrf"), &self.path) {
            return Err(self.tell(Notice::AlreadyDone, back));
        }
        Ok(())
    }

    /// What stands around the page.
    pub fn chrome(&self, here: Here, notice: Option<Notice>) -> Chrome {
        let settings = &self.keeping.settings;
        let zone = settings.time_zone.as_deref().and_then(|zone| jiff::tz::TimeZone::get(zone).ok());
        let signed_in =
            self.keeper.as_ref().map(|keeper| SignedIn { name: keeper.name.clone(), role: ui_role(keeper.role) });
        Chrome {
            box_name: settings.box_name.clone().unwrap_or_default(),
            zone: zone.unwrap_or(jiff::tz::TimeZone::UTC),
            now_unix_s: self.admin.unix_s(),
            signed_in,
            csrf: self.admin.csrf.token(self.bound_to()),
            here,
            notice,
            ..Chrome::default()
        }
    }

    /// A page, with what is to be told.
    pub fn page(&self, here: Here, render: impl FnOnce(&Chrome) -> String) -> Response {
        let notice = self.session.as_ref().and_then(|_| self.admin.sessions.take_notice(self.session_cookie()));
        self.page_as(StatusCode::OK, here, notice, render)
    }

    /// A form that comes back because something is wrong with it.
    pub fn again(&self, here: Here, render: impl FnOnce(&Chrome) -> String) -> Response {
        self.page_as(StatusCode::UNPROCESSABLE_ENTITY, here, None, render)
    }

    /// A form that comes back because it is not of this session.
    pub fn stale(&self, here: Here, render: impl FnOnce(&Chrome) -> String) -> Response {
        self.page_as(StatusCode::FORBIDDEN, here, Some(Notice::StaleForm), render)
    }

    /// A form that came too often, and when it may come again.
    pub fn too_often(&self, render: impl FnOnce(&Chrome) -> String, wait_s: u64) -> Response {
        let mut answer = self.page_as(StatusCode::TOO_MANY_REQUESTS, Here::Outside, None, render);
        answer.headers_mut().insert(header::RETRY_AFTER, wait_s.into());
        answer
    }

    /// A page with everything said.
    pub fn page_as(
        &self,
        status: StatusCode,
        here: Here,
        notice: Option<Notice>,
        render: impl FnOnce(&Chrome) -> String,
    ) -> Response {
        let html = render(&self.chrome(here, notice));
        self.with_visit((status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
    }

    /// A page that says what could not be done.
    pub fn fail(&self, status: StatusCode, failed: Failed) -> Response {
        let failure = Failure { failed, back: None };
        self.page_as(status, Here::Outside, None, |chrome| failure.render(chrome))
    }

    /// There is none such.
    pub fn not_found(&self) -> Response {
        self.fail(StatusCode::NOT_FOUND, Failed::NotFound)
    }

    /// Leads to another page (RFC 9110, section 15.4.4).
    pub fn go(&self, to: &str) -> Response {
        let location = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
        self.with_visit((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
    }

    /// Leads to another page and has it tell something.
    pub fn tell(&self, notice: Notice, to: &str) -> Response {
        if self.session.is_some() {
            self.admin.sessions.tell(self.session_cookie(), notice);
        }
        self.go(to)
    }

    /// Who keeps guessing: see [`crate::admin::limits`].
    pub fn source(&self) -> crate::admin::limits::Source {
        self.admin.limits.source(self.cookies.known.as_deref(), self.peer)
    }

    /// Begins a session, under a fresh cookie, and leads on.
    pub fn begin_session(&self, holder: Holder, notice: Option<Notice>, to: &str) -> Response {
        let (now, unix_s) = (self.admin.now(), self.admin.unix_s());
        let Ok(cookie) = self.admin.sessions.begin(holder, now, unix_s, self.peer, &self.agent) else {
            return self.fail(StatusCode::SERVICE_UNAVAILABLE, Failed::Stopping);
        };
        // The session before, and with it every form of it.
        self.admin.sessions.end(self.session_cookie());
        if let Some(notice) = notice {
            self.admin.sessions.tell(&cookie, notice);
        }
        let location = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
        let mut answer = (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
        set_cookie(&mut answer, SESSION, &cookie, None);
        if matches!(holder, Holder::Keeper(_))
            && let Ok(known) = self.admin.limits.known_cookie()
        {
            set_cookie(&mut answer, KNOWN, &known, Some(400 * 24 * 3600));
        }
        answer
    }

    /// Ends the session and leads on.
    pub fn end_session(&self, to: &str) -> Response {
        self.admin.sessions.end(self.session_cookie());
        let mut answer = self.go(to);
        set_cookie(&mut answer, SESSION, "", Some(0));
        answer
    }

    fn with_visit(&self, mut answer: Response) -> Response {
        if self.cookies.new_visit
            && let Some(visit) = &self.cookies.visit
        {
            set_cookie(&mut answer, VISIT, visit, None);
        }
        answer
    }

    /// Orders something as the keeper who asks.
    ///
    /// # Errors
    /// The page that says why it was not done.
    pub async fn order(&self, ask: Ask) -> Result<Answer, Response> {
        let answer = self.admin.order(self.by(), ask).await;
        answer.map_err(|why| self.not_done(why))
    }

    /// The same for what is about the keeping; the inner error is one for the form.
    ///
    /// # Errors
    /// The page that says why it was not done.
    pub async fn change(&self, change: Change) -> Result<Result<(), NotPossible>, Response> {
        match self.order(Ask::Change(change)).await? {
            Answer::NotPossible(why) => Ok(Err(why)),
            _ => Ok(Ok(())),
        }
    }

    /// Asks the rules.
    ///
    /// # Errors
    /// The page that says why there is no answer.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, Response> {
        self.admin.control.ask(ask).await.map_err(|why| self.not_done(why))
    }

    /// The page that says why something was not done.
    pub fn not_done(&self, why: NotDone) -> Response {
        match why {
            NotDone::NotFound => self.not_found(),
            NotDone::CannotStore => self.fail(StatusCode::SERVICE_UNAVAILABLE, Failed::CannotStore),
            NotDone::Stopping => self.fail(StatusCode::SERVICE_UNAVAILABLE, Failed::Stopping),
        }
    }
}

fn set_cookie(answer: &mut Response, name: &str, value: &str, max_age_s: Option<u64>) {
    let age = max_age_s.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let cookie = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{age}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
