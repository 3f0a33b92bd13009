//! One operation of the document: said in the words of the doors, checked by the compiler.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    Content, ContentBuilder, Header, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
};

use super::ids::{Id, words};
use crate::http::problem::{self, SLUGS, Slug};

/// What one door is, at which path and under which method.
pub(super) struct Door {
    pub(super) path: &'static str,
    pub(super) methods: Vec<HttpMethod>,
    id: &'static str,
    summary: &'static str,
    tag: &'static str,
    description: String,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    answers: BTreeMap<u16, Response>,
    refusals: BTreeMap<u16, Vec<&'static Slug>>,
    credentials: Vec<SecurityRequirement>,
}

/// What a door takes as credential.
#[derive(Clone, Copy)]
pub(super) enum Credential {
    /// None is fine too.
    None,
    /// The token of a join answer.
    Peer,
    /// A JWT of the application's.
    Access,
    /// The token of `--operator-token`.
    Operator,
    /// A ticket in the URL.
    Ticket,
}

impl Credential {
    /// Its name among the security schemes.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Peer => Some("peerToken"),
            Self::Access => Some("accessToken"),
            Self::Operator => Some("operatorToken"),
            Self::Ticket => Some("ticket"),
        }
    }
}

impl Door {
    /// An operation without a body that anyone may ask for, which can always fail inside.
    pub(super) fn new(
        method: HttpMethod,
        path: &'static str,
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Self {
        let door = Self {
            path,
            methods: vec![method],
            id,
            summary,
            tag,
            description: String::new(),
            parameters: named(path),
            body: None,
            answers: BTreeMap::new(),
            refusals: BTreeMap::new(),
            credentials: Vec::new(),
        };
        let door = door.refuses(&[&problem::INTERNAL]);
        // What is kept for several nodes can be out of reach.
        if path.starts_with("/rooms") || ["/ice-servers", "/readyz"].contains(&path) {
            return door.refuses(&[&problem::STORE_UNAVAILABLE]);
        }
        door
    }

    /// The same is answered to HEAD, without its body.
    pub(super) fn and_head(mut self) -> Self {
        self.methods.push(HttpMethod::Head);
        self
    }

    /// What a developer should know beside the summary, as Markdown.
    pub(super) fn says(mut self, text: &str) -> Self {
        self.description = text.to_owned();
        self
    }

    /// Any one of `credentials` does.
    pub(super) fn takes(mut self, credentials: &[Credential]) -> Self {
        self.credentials = credentials
            .iter()
            .map(|credential| match credential.name() {
                Some(name) => SecurityRequirement::new(name, [""; 0]),
                None => SecurityRequirement::default(),
            })
            .collect();
        self
    }

    /// The doors of a member take its token, and what is wrong with it is told in four ways.
    pub(super) fn of_a_member(self) -> Self {
        self.takes(&[Credential::Peer]).refuses(&[
            &problem::BAD_TOKEN,
            &problem::NOT_ALLOWED,
            &problem::ENDED,
            &problem::BAD_ID,
        ])
    }

    /// A parameter of the query, which may be left out.
    pub(super) fn query(
        self,
        name: &str,
        schema: impl Into<RefOr<Schema>>,
        text: &str,
        example: Option<Value>,
    ) -> Self {
        self.parameter(name, ParameterIn::Query, schema, text, example)
    }

    /// A header, which may be left out.
    pub(super) fn header(self, name: &str, schema: impl Into<RefOr<Schema>>, text: &str) -> Self {
        self.parameter(name, ParameterIn::Header, schema, text, None)
    }

    fn parameter(
        mut self,
        name: &str,
        place: ParameterIn,
        schema: impl Into<RefOr<Schema>>,
        text: &str,
        example: Option<Value>,
    ) -> Self {
        self.parameters.push(
            ParameterBuilder::new()
                .name(name)
                .parameter_in(place)
                .required(Required::False)
                .schema(Some(schema))
                .description(Some(text))
                .example(example)
                .build(),
        );
        self
    }

    /// A JSON body. Its Content-Type is not looked at.
    pub(super) fn json_body(
        self,
        schema: impl Into<RefOr<Schema>>,
        required: bool,
        text: &str,
        examples: &[(&str, Value)],
    ) -> Self {
        let all = examples.iter().map(|(name, value)| {
            let example = utoipa::openapi::example::Example::builder().value(Some(value.clone()));
            (*name, RefOr::T(example.build()))
        });
        let content = ContentBuilder::new()
            .schema(Some(schema))
            .examples_from_iter(all)
            .build();
        self.body("application/json", content, required, text)
            .refuses(&[&problem::BAD_JSON])
    }

    /// A body of any media type.
    pub(super) fn body(
        mut self,
        media_type: &str,
        content: Content,
        required: bool,
        text: &str,
    ) -> Self {
        let required = if required {
            Required::True
        } else {
            Required::False
        };
        self.body = Some(
            RequestBodyBuilder::new()
                .description(Some(text))
                .required(Some(required))
                .content(media_type, content)
                .build(),
        );
        self.refuses(&[&problem::TOO_LARGE, &problem::TOO_SLOW])
    }

    /// An answer without a body.
    pub(super) fn answers(mut self, status: u16, text: &str) -> Self {
        let response = self.answers.entry(status).or_default();
        text.clone_into(&mut response.description);
        self
    }

    /// An answer whose body is the JSON of a component.
    pub(super) fn answers_json<T: ToSchema>(self, status: u16, text: &str, example: Value) -> Self {
        let content = ContentBuilder::new()
            .schema(Some(component::<T>()))
            .example(Some(example))
            .build();
        self.answers_as(status, text, "application/json", content)
    }

    /// An answer whose body has this media type; one status may have several.
    pub(super) fn answers_as(
        self,
        status: u16,
        text: &str,
        media_type: &str,
        content: Content,
    ) -> Self {
        let mut door = self.answers(status, text);
        if let Some(response) = door.answers.get_mut(&status) {
            let content = RefOr::T(content);
            response.content.insert(media_type.to_owned(), content);
        }
        door
    }

    /// What may be asked for next, with what the answer of this status names for the path of each.
    pub(super) fn leads_to(mut self, status: u16, names: &[&str], operations: &[&str]) -> Self {
        let Some(response) = self.answers.get_mut(&status) else {
            return self;
        };
        for operation in operations {
            let link = LinkBuilder::new().operation_id(*operation);
            let link = names.iter().fold(link, |link, name| {
                link.parameter(*name, format!("$response.body#/{name}"))
            });
            let link = RefOr::T(link.build());
            response.links.insert((*operation).to_owned(), link);
        }
        self
    }

    /// What is refused here, as problems.
    pub(super) fn refuses(mut self, slugs: &[&'static Slug]) -> Self {
        for slug in slugs {
            let all = self.refusals.entry(slug.status).or_default();
            if !all.contains(slug) {
                all.push(slug);
            }
        }
        self
    }

    /// The operation under one of the methods.
    pub(super) fn operation(&self, method: &HttpMethod) -> Operation {
        let head = *method == HttpMethod::Head;
        let id = if head {
            format!("{}Head", self.id)
        } else {
            self.id.to_owned()
        };
        let mut operation = OperationBuilder::new()
            .operation_id(Some(id))
            .tag(self.tag)
            .summary(Some(self.summary))
            .parameters(Some(self.parameters.clone()))
            .request_body(self.body.clone())
            .securities(Some(self.credentials.clone()));
        if !self.description.is_empty() {
            operation = operation.description(Some(&self.description));
        }
        let refusals = self
            .refusals
            .iter()
            .map(|(status, slugs)| (*status, refusal(*status, slugs)));
        for (status, mut response) in self.answers.clone().into_iter().chain(refusals) {
            if head {
                response.content.clear();
            }
            operation = operation.response(status.to_string(), response);
        }
        operation.build()
    }
}

/// The reference to a component.
pub(super) fn component<T: ToSchema>() -> Ref {
    Ref::from_schema_name(T::name())
}

/// A text without bounds.
pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A body or an answer of plain text.
pub(super) fn plain(example: &str) -> Content {
    ContentBuilder::new()
        .schema(Some(text()))
        .example(Some(example.into()))
        .build()
}

/// The parameters that a path names, each with an example that fits the others.
fn named(path: &'static str) -> Vec<Parameter> {
    let names = path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?;
        name.strip_suffix('}')
    });
    let parameter = |name: &'static str| {
        let (schema, text, example): (RefOr<Schema>, _, _) = match name {
            "room" => (component::<Id>().into(), "The room.", "demo"),
            "peer" => (component::<Id>().into(), "The peer in the room.", "alice"),
            "session" => (component::<Id>().into(), "The session.", "s1"),
            _ => {
                let all = words(SLUGS.iter().map(|slug| slug.name));
                (all.into(), "The problem's name.", "ended")
            }
        };
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(schema))
            .description(Some(text))
            .example(Some(example.into()))
            .build()
    };
    names.map(parameter).collect()
}

/// The refusals of one status: the problem's `type` is one of theirs.
fn refusal(status: u16, slugs: &[&'static Slug]) -> Response {
    let kind = |slug: &&'static Slug| format!("/problems/{}", slug.name);
    let kinds = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("type", words(slugs.iter().map(kind)))
        .property("status", words([status]));
    let problem = AllOfBuilder::new()
        .item(Ref::from_schema_name("Problem"))
        .item(kinds);
    let told: Vec<_> = slugs
        .iter()
        .map(|slug| format!("`{}`: {}.", slug.name, slug.title))
        .collect();
    let mut response = ResponseBuilder::new().description(told.join(" ")).content(
        "application/problem+json",
        Content::new(Some(RefOr::T(Schema::from(problem.build())))),
    );
    if status == 429 || status == 503 {
        let seconds = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .description(Some("In how many seconds to ask again."));
        response = response.header("Retry-After", Header::new(seconds.build()));
    }
    if status == 401 {
        let bearer = words(["Bearer"]);
        response = response.header("WWW-Authenticate", Header::new(bearer));
    }
    response.build()
}
