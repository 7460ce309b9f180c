//! The XML-RPC codec: the element of every type, what others write, and what is refused.

use super::*;
use crate::codec::MAX_DEPTH;
use crate::rpc::Field;

fn open(ty: &Type) -> Box<dyn ShapeCodec> {
    Xml::new(&Options::default()).prepare(&Shape::Result(ty.clone())).unwrap()
}

fn decode(ty: &Type, text: &str) -> Result<Value, DecodeError> {
    let mut values = Vec::new();
    open(ty).decode(text.as_bytes(), &mut values).map(|()| values.remove(0))
}

fn encode(ty: &Type, value: &Value) -> Result<String, EncodeError> {
    let mut out = Vec::new();
    open(ty).encode(std::slice::from_ref(value), &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn row() -> Type {
    Type::Struct(vec![Field::new("a", Type::Int), Field::new("b&", Type::List(Box::new(Type::Text)))])
}

#[test]
fn every_type_has_its_element() {
    let value = Value::Struct(vec![
        ("b&".into(), Value::List(vec![text("x"), text("")])),
        ("a".into(), Value::Int(-5)),
    ]);
    for (ty, value, expected) in [
        (Type::Nil, Value::Nil, "<value><nil/></value>"),
        (Type::Bool, Value::Bool(true), "<value><boolean>1</boolean></value>"),
        (Type::Int, Value::Int(i32::MIN.into()), "<value><int>-2147483648</int></value>"),
        (Type::Float, Value::Float(1.0), "<value><double>1.0</double></value>"),
        (Type::Text, text("a<&>\r\n ä"), "<value><string>a&lt;&amp;&gt;&#13;\n ä</string></value>"),
        (Type::Bytes, Value::Bytes(vec![0, 255]), "<value><base64>AP8=</base64></value>"),
        (
            Type::Time,
            Value::Time(1_700_000_000),
            "<value><dateTime.iso8601>20231114T22:13:20</dateTime.iso8601></value>",
        ),
        (
            row(),
            value,
            "<value><struct><member><name>a</name><value><int>-5</int></value></member>\
             <member><name>b&amp;</name><value><array><data><value><string>x</string></value>\
             <value><string></string></value></data></array></value></member></struct></value>",
        ),
    ] {
        assert_eq!(encode(&ty, &value).unwrap(), expected);
        assert_eq!(decode(&ty, expected).unwrap(), value);
        assert_eq!(decode(&Type::Any, expected).unwrap(), value);
    }
}

#[test]
fn arguments_are_params() {
    let open = |fields: Vec<Field>| Xml::new(&Options::default()).prepare(&Shape::Params(fields)).unwrap();
    let two = open(vec![Field::new("x", Type::Int), Field::new("y", Type::Text)]);
    let arguments = [Value::Int(1), text("")];
    let (mut out, mut values) = (Vec::new(), Vec::new());
    two.encode(&arguments, &mut out).unwrap();
    let expected = "<params><param><value><int>1</int></value></param>\
                    <param><value><string></string></value></param></params>";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    let spaced =
        " <params >\n<param>\n<value><i4> 1 </i4></value></param><param><value/></param ></params>\n<!-- -->";
    for body in [expected, spaced] {
        values.clear();
        two.decode(body.as_bytes(), &mut values).unwrap();
        assert_eq!(values, arguments);
    }
    for wrong in [
        "",
        "<params/>",
        "<params><param><value><int>1</int></value></param></params>",
        "<params><param/><param/></params>",
        "<value><int>1</int></value>",
        &expected.replace("</params>", "<param><value/></param></params>"),
        &expected.replace("</params>", ""),
    ] {
        assert!(two.decode(wrong.as_bytes(), &mut values).is_err(), "{wrong}");
    }
    assert_eq!(values, arguments, "nothing of a failed decoding stays");
    for none in ["", " ", "<params/>", "<params></params>", "<params>\n</params>"] {
        open(vec![]).decode(none.as_bytes(), &mut values).unwrap();
    }
    assert!(open(vec![]).decode(expected.as_bytes(), &mut values).is_err());
}

#[test]
fn text_is_gathered_from_every_kind_of_piece_and_never_trimmed() {
    for (body, expected) in [
        ("<value>bare</value>", "bare"),
        ("<value>  spaces kept \n</value>", "  spaces kept \n"),
        ("<value> </value>", " "),
        ("<value></value>", ""),
        ("<value/>", ""),
        ("<value><string/></value>", ""),
        ("<value><string> a &amp; b &#65;&#x42; </string></value>", " a & b AB "),
        ("<value>&lt;&gt;&quot;&apos;</value>", "<>\"'"),
        ("<value>a<![CDATA[<&amp;]]>b<!-- no -->c</value>", "a<&amp;bc"),
        ("<value>\r\n&#13;\r</value>", "\n\r\n"),
        ("<value>\n<string>x</string>\n</value>", "x"),
    ] {
        assert_eq!(decode(&Type::Text, body).unwrap(), text(expected), "{body}");
    }
}

#[test]
fn what_other_implementations_write_is_read() {
    for (ty, body, expected) in [
        (Type::Int, "<value><i8>5000000000</i8></value>", Value::Int(5_000_000_000)),
        (Type::Int, "<value><ex:i8>-1</ex:i8></value>", Value::Int(-1)),
        (Type::Int, "<value><i4>+7</i4></value>", Value::Int(7)),
        (Type::Nil, "<value><ex:nil/></value>", Value::Nil),
        (Type::Nil, "<value><nil></nil></value>", Value::Nil),
        (Type::Float, "<value><double>-1.5e-3</double></value>", Value::Float(-0.0015)),
        (Type::Float, "<value><int>2</int></value>", Value::Float(2.0)),
        (Type::Bytes, "<value><base64>\nAP\r\n8=\n</base64></value>", Value::Bytes(vec![0, 255])),
        (
            Type::Time,
            "<value><dateTime.iso8601>1970-01-02T00:00:01Z</dateTime.iso8601></value>",
            Value::Time(86_401),
        ),
        (Type::List(Box::new(Type::Int)), "<value><array><data/></array></value>", Value::List(vec![])),
        (Type::Struct(vec![]), "<value><struct/></value>", Value::Struct(vec![])),
        (Type::Text, "<?xml version='1.0'?>\n<value xmlns:ex='urn:x'>x</value>", text("x")),
    ] {
        assert_eq!(decode(&ty, body).unwrap(), expected, "{body}");
    }
    let reversed = "<value><struct><member>\n<name>b&#38;</name><value><array><data></data></array></value>\
                    </member> <member><name>a</name><value><int>1</int></value></member></struct></value>";
    let Value::Struct(fields) = decode(&row(), reversed).unwrap() else { panic!("no struct") };
    assert_eq!(&*fields[0].0, "a", "the type's order");
}

#[test]
fn what_xml_rpc_cannot_carry_is_refused() {
    let refused = |ty, value| match encode(&ty, &value) {
        Err(EncodeError::Unsupported { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert!(refused(Type::Int, Value::Int(1 << 31)).contains("xmlrpc_i8"));
    assert!(refused(Type::Float, Value::Float(f64::NAN)).contains("NaN"));
    assert!(refused(Type::Float, Value::Float(f64::INFINITY)).contains("inf"));
    assert!(refused(Type::Text, text("\u{1}")).contains("\\u{1}"));
    assert!(refused(Type::Time, Value::Time(i64::MAX)).contains("years"));
    let name = Shape::Result(Type::Struct(vec![Field::new("a\0", Type::Int)]));
    assert!(Xml::new(&Options::default()).prepare(&name).is_err());
}

#[test]
fn integers_beyond_32_bits_are_written_where_the_option_says_so() {
    let codec = Xml::new(&Options { xmlrpc_i8: true, ..Options::default() });
    let codec = codec.prepare(&Shape::Result(Type::Int)).unwrap();
    let (mut out, mut values) = (Vec::new(), Vec::new());
    codec.encode(&[Value::Int(i64::MIN)], &mut out).unwrap();
    assert_eq!(out, b"<value><i8>-9223372036854775808</i8></value>");
    codec.decode(&out, &mut values).unwrap();
    assert_eq!(values, [Value::Int(i64::MIN)]);
}

#[test]
fn malformed_documents_are_errors_with_their_reason() {
    for (body, reason) in [
        ("", "expected <value>"),
        ("<value>", "ends within"),
        ("<value><string>x", "ends within"),
        ("<value><int>1</int>", "expected </value>"),
        ("<value><int>1</value>", "</value>"),
        ("<value/><value/>", "second element"),
        ("<value/>x", "only elements"),
        ("x<value/>", "only elements"),
        ("<value/>&amp;", "only elements"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><value/>", "DOCTYPE"),
        ("<value>&nbsp;</value>", "undefined entity"),
        ("<value>&amp</value>", "reference not closed"),
        ("<value>&#1;</value>", "forbidden character"),
        ("<value>&#xFFFF;</value>", "forbidden character"),
        ("<value>&#xD800;</value>", ""),
        ("<value>\u{1}</value>", "forbidden character"),
        ("<value>a<int>1</int></value>", "text beside"),
        ("<value>&#32;<int>1</int></value>", "text beside"),
        ("<value><int>1</int>b</value>", "only elements"),
        ("<value><int>1</int><int>1</int></value>", "expected </value>"),
        ("<value><string><b/></string></value>", "only text"),
        ("<value><int/></value>", "no integer"),
        ("<value><int>1.0</int></value>", "no integer"),
        ("<value><int>2147483648</int></value>", "beyond 32 bits"),
        ("<value><i8>9223372036854775808</i8></value>", "no integer"),
        ("<value><boolean>2</boolean></value>", "boolean"),
        ("<value><double>nan</double></value>", "double"),
        ("<value><double>inf</double></value>", "double"),
        ("<value><double>1e999</double></value>", "double"),
        ("<value><nil>x</nil></value>", "text within <nil>"),
        ("<value><base64>A</base64></value>", "base64"),
        ("<value><dateTime.iso8601>20230230T00:00:00</dateTime.iso8601></value>", "dateTime"),
        ("<value><dateTime.iso8601>ä0000000T00:00:00</dateTime.iso8601></value>", "dateTime"),
        ("<value><dateTime.iso8601>T</dateTime.iso8601></value>", "dateTime"),
        ("<value><blob>x</blob></value>", "<blob> is no type"),
        ("<value><array></array></value>", "without <data>"),
        ("<value><array/></value>", "without <data>"),
        ("<value><array><data><int>1</int></data></array></value>", "expected <value>"),
        ("<value><struct><member><value/></member></struct></value>", "expected <name>"),
        ("<value><struct><member><name>a</name></member></struct></value>", "expected <value>"),
        (
            "<value><struct><member><name>a</name><value/></member>\
             <member><name>a</name><value/></member></struct></value>",
            "stands twice",
        ),
        ("<value/><?xml version='1.0'?>", "XML declaration"),
    ] {
        let error = decode(&Type::Any, body).unwrap_err();
        assert!(error.reason.contains(reason), "{error} for {body}");
    }
    let mut values = Vec::new();
    assert!(open(&Type::Text).decode(b"<value>\xFF</value>", &mut values).is_err());
}

#[test]
fn fields_are_checked_against_the_type() {
    let one = Type::Struct(vec![Field::new("a", Type::Int)]);
    let member = |name, value| format!("<member><name>{name}</name><value>{value}</value></member>");
    for (members, reason) in [
        (String::new(), "field \"a\" is missing"),
        (member("b", "<int>1</int>"), "unknown field \"b\""),
        (member("a", "<string>1</string>"), "expected int, found text"),
        (member("a", "<int>1</int>") + &member("a", "<int>1</int>"), "stands twice"),
    ] {
        let error = decode(&one, &format!("<value><struct>{members}</struct></value>")).unwrap_err();
        assert!(error.reason.contains(reason), "{error}");
    }
}

#[test]
fn nesting_is_followed_to_the_deepest_level_only() {
    let nested = |levels: usize| {
        let (start, end) = ("<value><array><data>", "</data></array></value>");
        format!("{}{}", start.repeat(levels), end.repeat(levels))
    };
    assert!(decode(&Type::Any, &nested(MAX_DEPTH)).is_ok());
    assert!(decode(&Type::Any, &nested(MAX_DEPTH + 1)).is_err());
    assert!(decode(&Type::Any, &nested(50_000)).is_err());
}
