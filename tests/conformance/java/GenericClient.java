import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.api.PreferReturnEnum;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.api.ServerValidationModeEnum;
import ca.uhn.fhir.rest.client.interceptor.BearerTokenAuthInterceptor;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import ca.uhn.fhir.rest.server.exceptions.PreconditionFailedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceGoneException;
import ca.uhn.fhir.rest.server.exceptions.ResourceNotFoundException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CapabilityStatement;
import org.hl7.fhir.r4.model.CodeableConcept;
import org.hl7.fhir.r4.model.Coding;
import org.hl7.fhir.r4.model.Condition;
import org.hl7.fhir.r4.model.DateTimeType;
import org.hl7.fhir.r4.model.Observation;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.Quantity;
import org.hl7.fhir.r4.model.Reference;

/**
 * Uses the server through HAPI's generic client, unchanged: one client that writes, one that reads, one person.
 * Environment: KIROKU_URL, KIROKU_WRITE_TOKEN, KIROKU_READ_TOKEN, KIROKU_PATIENT. Exit code 0 means that all held.
 */
public final class GenericClient {
    private static final String SYSTEM = "http://example.org/hapi";
    private final IGenericClient writer;
    private final IGenericClient reader;
    private final String patient = System.getenv("KIROKU_PATIENT");

    private GenericClient() {
        FhirContext context = FhirContext.forR4();
        // The server's CapabilityStatement is fetched and checked before the first request, as by default.
        context.getRestfulClientFactory().setServerValidationMode(ServerValidationModeEnum.ONCE);
        context.getRestfulClientFactory().setSocketTimeout(60_000);
        writer = client(context, "KIROKU_WRITE_TOKEN");
        reader = client(context, "KIROKU_READ_TOKEN");
    }

    private static IGenericClient client(FhirContext context, String token) {
        IGenericClient client = context.newRestfulGenericClient(System.getenv("KIROKU_URL"));
        client.registerInterceptor(new BearerTokenAuthInterceptor(System.getenv(token)));
        return client;
    }

    public static void main(String[] arguments) {
        GenericClient test = new GenericClient();
        test.capabilities();
        test.createReadUpdate();
        test.searchAndPage();
        test.transaction();
        test.delete();
        test.errors();
    }

    private static void hold(boolean holds, Object what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    private static <E extends Exception> void refused(Class<E> expected, Runnable action) {
        try {
            action.run();
        } catch (Exception error) {
            hold(expected.isInstance(error), error);
            return;
        }
        throw new AssertionError("expected " + expected.getSimpleName());
    }

    private Observation pulse(int value, int number) {
        Observation made = new Observation();
        made.addIdentifier().setSystem(SYSTEM).setValue("pulse-" + number);
        made.setStatus(Observation.ObservationStatus.FINAL);
        made.addCategory().addCoding(
            new Coding("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs", "Vital Signs"));
        made.setCode(new CodeableConcept(new Coding("http://loinc.org", "8867-4", "Heart rate")));
        made.setSubject(new Reference("Patient/" + patient));
        made.setEffective(new DateTimeType(String.format("2026-10-%02dT09:00:00+09:00", number)));
        made.setValue(new Quantity().setValue(new BigDecimal(value + ".50")).setUnit("/min")
            .setSystem("http://unitsofmeasure.org").setCode("/min"));
        return made;
    }

    private void capabilities() {
        CapabilityStatement said = reader.capabilities().ofType(CapabilityStatement.class).execute();
        hold("4.0.1".equals(said.getFhirVersion().toCode()), said.getFhirVersion());
        hold(said.getRestFirstRep().getResource().size() > 20, said.getRestFirstRep().getResource().size());
        System.out.println("ok capabilities");
    }

    private void createReadUpdate() {
        MethodOutcome created = writer.create().resource(pulse(70, 1)).prefer(PreferReturnEnum.MINIMAL).execute();
        hold(Boolean.TRUE.equals(created.getCreated()) && created.getId().hasVersionIdPart(), created.getId());
        String id = created.getId().getIdPart();
        Observation read = reader.read().resource(Observation.class).withId(id).execute();
        // The zero behind the decimal point is kept: it is part of what was measured.
        hold("70.50".equals(read.getValueQuantity().getValue().toPlainString()), read.getValueQuantity().getValue());
        read.getValueQuantity().setValue(new BigDecimal("71"));
        MethodOutcome updated = writer.update().resource(read).prefer(PreferReturnEnum.REPRESENTATION)
            .withAdditionalHeader("If-Match", "W/\"1\"").execute();
        hold("2".equals(((Observation) updated.getResource()).getMeta().getVersionId()), updated.getId());
        refused(PreconditionFailedException.class,
            () -> writer.update().resource(read).withAdditionalHeader("If-Match", "W/\"1\"").execute());
        Observation old = reader.read().resource(Observation.class).withIdAndVersion(id, "1").execute();
        hold(old.getValueQuantity().getValue().intValue() == 70, old.getValueQuantity().getValue());
        Bundle history = reader.history().onInstance("Observation/" + id).returnBundle(Bundle.class).execute();
        hold(history.getEntry().stream().filter(entry -> entry.getResource() instanceof Observation).count() == 2,
            history.getEntry().size());
        System.out.println("ok createReadUpdate");
    }

    private void searchAndPage() {
        for (int number = 2; number <= 8; number++) {
            writer.create().resource(pulse(70 + number, number)).execute();
        }
        List<String> days = new ArrayList<>();
        Bundle page = reader.search().forResource(Observation.class)
            .where(Observation.PATIENT.hasId(patient))
            .and(Observation.CODE.exactly().systemAndCode("http://loinc.org", "8867-4"))
            .sort().descending(Observation.DATE).count(3).returnBundle(Bundle.class).execute();
        hold(page.getTotal() == 8, page.getTotal());
        while (true) {
            days.addAll(days(page));
            if (page.getLink(Bundle.LINK_NEXT) == null) {
                break;
            }
            page = reader.loadPage().next(page).execute();
        }
        hold(days.equals(List.of("08", "07", "06", "05", "04", "03", "02", "01")), days);
        Bundle back = reader.loadPage().previous(page).execute();
        List<String> before = days(back);
        hold(before.equals(List.of("05", "04", "03")), before);
        Bundle included = reader.search().forResource(Observation.class)
            .where(Observation.PATIENT.hasId(patient)).and(Observation.DATE.before().day("2026-10-02"))
            .include(Observation.INCLUDE_SUBJECT).returnBundle(Bundle.class).execute();
        hold(included.getEntry().stream().anyMatch(entry -> entry.getResource() instanceof Patient), included.getEntry().size());
        System.out.println("ok searchAndPage");
    }

    private static List<String> days(Bundle page) {
        List<String> days = new ArrayList<>();
        for (Bundle.BundleEntryComponent entry : page.getEntry()) {
            if (entry.getResource() instanceof Observation found) {
                days.add(found.getEffectiveDateTimeType().getValueAsString().substring(8, 10));
            }
        }
        return days;
    }

    private void transaction() {
        Condition condition = new Condition();
        condition.addIdentifier().setSystem(SYSTEM).setValue("condition-1");
        condition.setSubject(new Reference("Patient/" + patient));
        condition.setCode(new CodeableConcept(new Coding("http://hl7.org/fhir/sid/icd-10", "J45", null)).setText("喘息"));
        Observation observation = pulse(90, 20);
        observation.addFocus(new Reference("urn:uuid:0e7d6d52-2f2c-4e4f-9b94-6ad0e58f7a55"));
        Bundle bundle = new Bundle().setType(Bundle.BundleType.TRANSACTION);
        bundle.addEntry().setFullUrl("urn:uuid:0e7d6d52-2f2c-4e4f-9b94-6ad0e58f7a55").setResource(condition)
            .getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Condition")
            .setIfNoneExist("identifier=" + SYSTEM + "|condition-1");
        bundle.addEntry().setResource(observation).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Observation");
        Bundle done = writer.transaction().withBundle(bundle).execute();
        hold(done.getEntry().size() == 2, done.getEntry().size());
        for (Bundle.BundleEntryComponent entry : done.getEntry()) {
            hold(entry.getResponse().getStatus().startsWith("201"), entry.getResponse().getStatus());
        }
        String where = done.getEntry().get(1).getResponse().getLocation();
        Observation read = reader.read().resource(Observation.class).withId(
            new org.hl7.fhir.r4.model.IdType(where).getIdPart()).execute();
        String focus = read.getFocusFirstRep().getReference();
        hold(done.getEntry().get(0).getResponse().getLocation().contains(focus), focus);
        System.out.println("ok transaction");
    }

    private void delete() {
        String id = writer.create().resource(pulse(99, 25)).execute().getId().getIdPart();
        writer.delete().resourceById("Observation", id).execute();
        try {
            reader.read().resource(Observation.class).withId(id).execute();
            throw new AssertionError("a deleted resource is read");
        } catch (ResourceGoneException | ResourceNotFoundException expected) {
            System.out.println("ok delete");
        }
    }

    private void errors() {
        try {
            writer.create().resource(new Observation()).execute();
            throw new AssertionError("an empty Observation is accepted");
        } catch (BaseServerResponseException error) {
            OperationOutcome outcome = (OperationOutcome) error.getOperationOutcome();
            hold(outcome != null && outcome.getIssueFirstRep().hasExpression(), error);
        }
        System.out.println("ok errors");
    }
}
