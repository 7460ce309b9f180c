//! What a server says about itself, the same for every protocol that has a way to ask.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{OneCall, Protocol};
use crate::rpc::{Answer, CallError, Field, Method, Service, ServiceMethod, Type, Value};

/// The most methods of a server that are looked at.
pub const MAX_METHODS: usize = 1_000;

/// What a server offers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offer {
    /// The name it gives itself.
    pub name: Option<String>,
    /// Its methods, in its own order.
    pub methods: Vec<OfferedMethod>,
    /// The compiled `.proto` files of its methods (a `FileDescriptorSet`), where it tells them.
    pub descriptors: Option<Vec<u8>>,
    /// What it would not tell, for people.
    pub notes: Vec<String>,
}

/// A method that a server offers.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedMethod {
    /// The name that a call has to use.
    pub name: String,
    /// The service that the method belongs to, where the protocol has services.
    pub service: Option<String>,
    /// The parameters; an open type where only the name is known. `None` where the server is silent.
    pub params: Option<Vec<Field>>,
    /// The type of the answer; open where it is not known.
    pub returns: Type,
    /// Whether it answers with a stream.
    pub streams: bool,
    /// Why Wirebench cannot call it, if so.
    pub obstacle: Option<String>,
    /// Values that stand for a type where any other would be wrong (an enum's name), by their path:
    /// `params.order.color`.
    pub samples: Vec<(String, Value)>,
    /// Its documentation; empty where there is none.
    pub help: String,
}

impl OfferedMethod {
    /// A method of which nothing but the name is known.
    #[must_use]
    pub fn named(name: String) -> Self {
        Self {
            name,
            service: None,
            params: None,
            returns: Type::Any,
            streams: false,
            obstacle: None,
            samples: Vec::new(),
            help: String::new(),
        }
    }

    /// Takes the documentation. Where its first line is a signature as our own servers tell it, that
    /// gives the types instead.
    pub(super) fn document(&mut self, help: &str) {
        let help = help.trim();
        let (first, rest) = help.split_once('\n').unwrap_or((help, ""));
        match Method::from_signature(first).filter(|(method, _)| *method.name == *self.name) {
            Some((method, streams)) => {
                (self.params, self.returns, self.streams) = (Some(method.params), method.returns, streams);
                rest.trim().clone_into(&mut self.help);
            }
            None => help.clone_into(&mut self.help),
        }
    }
}

/// Asks the server at an address what it offers.
pub type Introspect = fn(&Asker<'_>) -> Result<Offer, CallError>;

/// Makes the calls of an introspection, all within one time.
#[derive(Debug)]
pub struct Asker<'a> {
    /// What to speak.
    pub protocol: &'a Protocol,
    /// Where the server is.
    pub target: &'a str,
    /// When all has to be over.
    pub deadline: Instant,
}

impl Asker<'_> {
    /// Calls a method whose parameters and answer are of open types.
    ///
    /// # Errors
    /// Any [`CallError`].
    pub fn ask(&self, method: &str, arguments: &[Value]) -> Result<Value, CallError> {
        let params = (1..=arguments.len()).map(|n| Field::new(&format!("argument {n}"), Type::Any));
        let service = one_method(method, params.collect(), Type::Any, None);
        self.call(self.protocol, &service, arguments, &mut |_| {})
    }

    /// Calls the only method of a service in any dialect of the protocol.
    ///
    /// # Errors
    /// Any [`CallError`].
    pub fn call(
        &self,
        protocol: &Protocol,
        service: &Arc<Service>,
        arguments: &[Value],
        on_item: &mut dyn FnMut(&Value),
    ) -> Result<Value, CallError> {
        let timeout = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let call = OneCall { protocol, service, target: self.target, method: 0, arguments, timeout };
        Ok(call.make(on_item)?.value.unwrap_or(Value::Nil))
    }
}

/// A service of one method, for calls that no scenario declares.
#[must_use]
pub fn one_method(name: &str, params: Vec<Field>, returns: Type, items: Option<u64>) -> Arc<Service> {
    let method = ServiceMethod {
        method: Method { name: name.into(), params, returns },
        answer: Answer::Value(Value::Nil),
        stream_items: items,
        delay: None,
        fail_rate: 0.0,
    };
    Arc::new(Service { name: "service".into(), methods: vec![method], seed: 0 })
}
